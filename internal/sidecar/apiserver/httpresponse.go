package apiserver

import (
	"errors"
	"net/http"

	"carillon/internal/job"
	"carillon/internal/wire"
)

// writeError writes an error of the API. Any error but a *wire.APIError is internal.
func writeError(w http.ResponseWriter, target job.Target, err error) {
	e, ok := errors.AsType[*wire.APIError](err)
	if !ok {
		e = wire.NewAPIError(wire.ReasonInternal, target, err.Error())
	}
	writeAPIError(w, e)
}

func writeAPIError(w http.ResponseWriter, e *wire.APIError) {
	if e.HTTP == http.StatusServiceUnavailable {
		// Seconds. Calls in flight end within milliseconds, and a scheduler is back soon.
		w.Header().Set("Retry-After", "1")
	}
	writeJSON(w, e.HTTP, e.Body())
}

func writeJSON(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that has disconnected needs no response
}
