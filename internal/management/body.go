package management

import (
	"errors"
	"io"
	"net/http"
	"regexp"
	"strings"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
)

// strictJSON reads the body of a request into a message, and writes responses. An error of it names
// the wrong field, as those of strictQuery do.
type strictJSON struct{ runtime.JSONPb }

// NewDecoder implements [runtime.Marshaler].
func (j *strictJSON) NewDecoder(r io.Reader) runtime.Decoder {
	d := j.JSONPb.NewDecoder(r)
	return runtime.DecoderFunc(func(v any) error { return bodyError(d.Decode(v)) })
}

// fieldOfBody finds the name of a field in an error of package protojson.
var fieldOfBody = regexp.MustCompile(`(?:unknown|duplicate) field "([^"]+)"|field (\w+):`)

// bodyError returns the error of the body of a request; err may be nil. An empty body is [io.EOF],
// which grpc-gateway accepts.
func bodyError(err error) error {
	if err == nil || errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return invalid("body", "it is too large: a request has 64 KiB at most")
	}
	text := strings.TrimSpace(strings.TrimPrefix(err.Error(), "proto:"))
	field := "body"
	if m := fieldOfBody.FindStringSubmatch(text); m != nil {
		field = m[1] + m[2]
	}
	return invalid(field, text+": GET /openapi.json lists the fields and their values")
}
