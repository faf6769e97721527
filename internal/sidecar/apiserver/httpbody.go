package apiserver

import (
	"bytes"
	"fmt"
	"io"
	"net/http"

	"carillon/internal/job"
	"carillon/internal/wire"
)

// readBody reads a body of at most MaxBody bytes. The bytes count until held is released. It
// reserves the announced length at once, and allocates memory only as the body arrives. Every error
// is a *wire.APIError.
func (s *Server) readBody(
	r *http.Request, target job.Target,
) (body []byte, held *reservation, err error) {
	limit := s.cfg.MaxBody
	bad := func(text string) error { // in Dapr's words
		return wire.NewAPIError(wire.ReasonBodyRead, target, "failed to read request body: "+text)
	}
	tooLarge := func() error { return s.bodyTooLarge(target) }
	reserved := r.ContentLength
	switch {
	case reserved > limit:
		return nil, nil, tooLarge()
	case reserved < 0: // unknown
		reserved = limit
	}
	if !s.calls.reserve(reserved) {
		return nil, nil, s.calls.tooMany(target)
	}
	var b bytes.Buffer
	b.Grow(int(min(max(r.ContentLength, 0), 64<<10)) + bytes.MinRead)
	n, err := b.ReadFrom(io.LimitReader(r.Body, limit+1))
	switch {
	case n > limit:
		err = tooLarge()
	case err != nil:
		err = bad(err.Error())
	}
	if err != nil {
		s.calls.release(reserved)
		return nil, nil, err
	}
	s.calls.release(reserved - n)
	return b.Bytes(), &reservation{&s.calls, n}, nil
}

// bodyTooLarge returns the error of a request of more than MaxBody bytes.
func (s *Server) bodyTooLarge(target job.Target) *wire.APIError {
	return wire.NewAPIError(wire.ReasonBodyRead, target, "failed to read request body: stream too large").WithHelp(
		fmt.Sprintf("a request has at most %d bytes: send less, or raise --max-body-size", s.cfg.MaxBody))
}
