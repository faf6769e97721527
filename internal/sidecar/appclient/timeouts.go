package appclient

import (
	"fmt"
	"time"
)

const (
	// responseTimeout bounds the rest of an answer after its first byte: the status line and header
	// of HTTP/1.1, a frame of HTTP/2, or the whole answer over gRPC.
	responseTimeout = 10 * time.Second
	// bodyTimeout bounds the body of an HTTP response, which is discarded.
	bodyTimeout = time.Second
	// writeByteTimeout is how long an HTTP/2 app may leave a full connection unread.
	writeByteTimeout = time.Minute
	// idleTimeout is how long a connection without a call is kept. It is shorter than the idle
	// timeout of servers: a call that meets a connection just as the app closes it fails.
	idleTimeout = time.Second
)

// errStalled is the error of an answer that began and did not end in time.
var errStalled = fmt.Errorf("the app began its answer and stopped halfway: it has %v from the first byte on", responseTimeout)
