package record

import (
	"time"

	"carillon/internal/job"
)

// A Record is what a store holds about one job: its spec and its state.
type Record struct {
	Spec     *job.Spec // nil if there is no such job, or it cannot be read
	State    State     // zero unless HasState
	HasState bool      // the store holds a state
	Err      error     // why the job cannot be read; nil otherwise
}

// Decode returns the record of k from its stored spec and state; either may be nil.
func Decode(k job.Key, spec, state []byte) Record {
	if spec == nil {
		return Record{}
	}
	s, err := DecodeSpec(k, spec)
	if err != nil {
		return Record{Err: err}
	}
	r := Record{Spec: s}
	if state != nil {
		r.HasState = true
		if r.State, err = DecodeState(k, state); err != nil {
			return Record{Err: err}
		}
	}
	return r
}

// Due returns when the next attempt is owed: the instant of the job's entry in the due index.
func (r *Record) Due() time.Time {
	if r.HasState {
		return r.State.Due
	}
	return r.Spec.Plan.First
}

// Occurrence returns the due instant of the present occurrence, which is the same for all its
// attempts.
func (r *Record) Occurrence() time.Time {
	if r.State.Attempts > 0 {
		return r.State.Occurrence
	}
	return r.Due()
}
