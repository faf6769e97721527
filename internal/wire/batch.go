package wire

import (
	"encoding/json"
	"net/http"

	"carillon/internal/brief"
	"carillon/internal/job"
)

// APIResult is how a batch's answer tells what became of one job: the status that a call for this job alone would have
// been answered with, and the body of its error, if there is one. A name that is too long for any job loses its middle.
func APIResult(name string, e *APIError) []byte {
	result := struct {
		Name   string          `json:"name,omitempty"`
		Status int             `json:"status"`
		Error  json.RawMessage `json:"error,omitempty"`
	}{Name: brief.To(name, job.MaxName), Status: http.StatusNoContent}
	if e != nil {
		result.Status, result.Error = e.HTTP, e.Body()
	}
	b, err := encodeJSON(result)
	if err != nil {
		panic(err) // strings can be encoded, and so can what has been encoded
	}
	return b
}
