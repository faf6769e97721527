package record

import (
	"fmt"
	"time"

	"carillon/internal/job"
)

const (
	stateVersion     = 1
	wideStateVersion = 2 // with wide instants, for the states that need them
)

// A State is how far a job has got. No state is stored for a job before its first attempt has
// ended.
type State struct {
	// Settled counts the occurrences that are over, handled or given up. It stays at its maximum.
	Settled uint32
	// Last is the due instant of the occurrence that was settled last.
	Last time.Time
	// Attempts counts the failed attempts at the present occurrence. It stays at its maximum.
	Attempts uint32
	// Occurrence is the due instant of the present occurrence if Attempts is not zero. Otherwise
	// Due is.
	Occurrence time.Time
	// Due is when the next attempt is owed: the instant of the job's entry in the due index.
	Due time.Time
}

// EncodeState returns the record of s.
func EncodeState(s State) []byte {
	e, wide := encoder{stateVersion}, false
	if !fitsNarrow(s.Last) || !fitsNarrow(s.Due) || !fitsNarrow(s.Occurrence) {
		e, wide = encoder{wideStateVersion}, true
	}
	e.uint(uint64(s.Settled))
	e.instant(s.Last, wide)
	e.uint(uint64(s.Attempts))
	e.instant(s.Due, wide)
	if s.Attempts > 0 {
		e.instant(s.Occurrence, wide)
	}
	return e
}

// DecodeState is the inverse of EncodeState; k names the job in errors.
func DecodeState(k job.Key, b []byte) (State, error) {
	d := decoder{rest: b}
	version := d.byte()
	if version != stateVersion && version != wideStateVersion {
		return State{}, fmt.Errorf("state of %s: %w: its format %d is not known here", k, ErrMalformed, version)
	}
	wide := version == wideStateVersion
	s := State{Settled: d.uint32(), Last: d.instant(wide), Attempts: d.uint32(), Due: d.instant(wide)}
	if s.Attempts > 0 {
		s.Occurrence = d.instant(wide)
	}
	if d.failed || len(d.rest) > 0 {
		return State{}, fmt.Errorf("state of %s: %w", k, ErrMalformed)
	}
	return s, nil
}
