package apiserver

import "time"

const (
	// requestTimeout is how long a client has to send a request.
	requestTimeout = time.Minute
	// responseTimeout is how long a client has to receive the response, from the end of its header.
	// It includes the time of the scheduler's call.
	responseTimeout = 3 * time.Minute
	// drainTimeout is how long calls in flight have to finish when the server stops.
	drainTimeout = 500 * time.Millisecond
)
