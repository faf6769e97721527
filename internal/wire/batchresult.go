package wire

import (
	"encoding/json"
	"net/http"

	"carillon/internal/job"
	"carillon/internal/truncate"
)

// APIResult returns the result of one job in the answer of a batch, or in a list: the status of a
// call for this job alone, and the body of its error, if there is one. The middle of a too long name is cut out.
func APIResult(name string, e *APIError) []byte {
	result := struct {
		Name   string          `json:"name,omitempty"`
		Status int             `json:"status"`
		Error  json.RawMessage `json:"error,omitempty"`
	}{Name: truncate.To(name, job.MaxName), Status: http.StatusNoContent}
	if e != nil {
		result.Status, result.Error = e.HTTP, e.Body()
	}
	b, err := encodeJSON(result)
	if err != nil {
		panic(err) // strings and JSON can be encoded
	}
	return b
}
