package wire

import (
	"carillon/internal/job"
	"carillon/internal/jsonvalue"
)

// valueURL is the type URL of data given over HTTP: JSON is stored as a google.protobuf.Value.
const valueURL = "type.googleapis.com/google.protobuf.Value"

// A BodyForm is the form of a request body of the HTTP API.
type BodyForm uint8

const (
	// FlatBody has the fields of the job at its top level. An empty body is flat, too.
	FlatBody BodyForm = 1
	// WrappedBody has them all in a top-level object "job".
	WrappedBody BodyForm = 2
	// NeitherBody has no field of a job in either place.
	NeitherBody BodyForm = 3
)

// A Body describes a request body of the HTTP API, apart from the fields of the job that Dapr has.
type Body struct {
	Form BodyForm
	Loss jsonvalue.Loss // of the data
	Ext  *job.Ext       // of the job; nil if it has none
}
