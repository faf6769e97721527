package apiserver

import "time"

const (
	// readTimeout is how long a client has to send a request.
	readTimeout = time.Minute
	// writeTimeout is how long a client has to receive the response, from the end of its header.
	// It includes the time of the scheduler's call.
	writeTimeout = 3 * time.Minute
	// drainTimeout is how long calls in flight have to finish when the server stops.
	drainTimeout = 500 * time.Millisecond
)
