package apiserver

import (
	"bytes"
	"fmt"
	"io"
	"net/http"

	"carillon/internal/job"
	"carillon/internal/wire"
)

// A bodyReader reads the bodies of HTTP requests.
type bodyReader struct {
	calls *callLimit
	limit int64 // of a body, in bytes
}

// read reads a body of at most limit bytes. The bytes count until held is released. It
// reserves the announced length at once, and allocates memory only as the body arrives. Every error
// is a *wire.APIError.
func (b bodyReader) read(
	r *http.Request, target job.Target,
) (body []byte, held *reservation, err error) {
	bad := func(text string) error { // in Dapr's words
		return wire.NewAPIError(wire.ReasonBodyRead, target, "failed to read request body: "+text)
	}
	errTooLarge := func() error { return b.tooLarge(target) }
	reserved := r.ContentLength
	switch {
	case reserved > b.limit:
		return nil, nil, errTooLarge()
	case reserved < 0: // unknown
		reserved = b.limit
	}
	if !b.calls.reserve(reserved) {
		return nil, nil, b.calls.tooMany(target)
	}
	var buf bytes.Buffer
	buf.Grow(int(min(max(r.ContentLength, 0), 64<<10)) + bytes.MinRead)
	n, err := buf.ReadFrom(io.LimitReader(r.Body, b.limit+1))
	switch {
	case n > b.limit:
		err = errTooLarge()
	case err != nil:
		err = bad(err.Error())
	}
	if err != nil {
		b.calls.release(reserved)
		return nil, nil, err
	}
	b.calls.release(reserved - n)
	return buf.Bytes(), &reservation{b.calls, n}, nil
}

// tooLarge returns the error of a request of more than limit bytes.
func (b bodyReader) tooLarge(target job.Target) *wire.APIError {
	return wire.NewAPIError(wire.ReasonBodyRead, target, "failed to read request body: stream too large").WithHelp(
		fmt.Sprintf("a request has at most %d bytes: send less, or raise --max-body-size", b.limit))
}
