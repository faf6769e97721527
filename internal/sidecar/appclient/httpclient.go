package appclient

import (
	"context"
	"errors"
	"io"
)

// An httpClient sends the requests. It is safe for concurrent use.
type httpClient interface { // http1Client; http2Client
	// post sends a trigger of the job of that name. It waits without limit, until ctx ends.
	post(ctx context.Context, name string, body []byte) (httpResponse, error)
	// close closes the connections to the app.
	close()
}

// An httpResponse is what the caller needs of a response.
type httpResponse struct {
	status   int
	received int64 // bytes of the body
}

// isSuccess reports whether a status code means success.
func isSuccess(code int) bool { return code >= 200 && code < 300 }

// discard reads a body to its end, so that the connection can be reused, or to 64 KiB. It returns
// how many bytes it read, and whether it reached the end.
func discard(body io.Reader) (n int64, complete bool) {
	n, err := io.CopyN(io.Discard, body, 64<<10)
	return n, errors.Is(err, io.EOF)
}
