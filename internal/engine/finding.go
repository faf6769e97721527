package engine

import (
	"encoding/hex"
	"errors"

	"carillon/internal/engine/record"
)

// A Finding is a key of the store that is in quarantine.
type Finding record.Note

var (
	errNoJob   = errors.New("an entry of the due index, and there is no such job")
	errAlone   = errors.New("a state, and there is no such job")
	errNoEntry = errors.New("the due index has no entry for it: it will not fire; schedule it again")
	errDiffers = errors.New("an entry of the due index that its job disagrees with, which has none where it says")
)

// The kinds of keys that a finding may have.
const (
	kindDue, kindJob, kindState, kindOther = "due", "job", "state", "other"
)

// Kind returns what the key is: due, job, state or other.
func (f Finding) Kind() string {
	switch record.KindOf(f.Key) {
	case record.KindDue:
		return kindDue
	case record.KindJob:
		return kindJob
	case record.KindState:
		return kindState
	default:
		return kindOther
	}
}

// Job returns whether the key names a job, and its name.
func (f Finding) Job() (name string, ok bool) {
	k, err := record.ParseKey(f.Key)
	return k.String(), err == nil
}

// String names the key for a person.
func (f Finding) String() string {
	if name, ok := f.Job(); ok {
		return f.Kind() + " " + name
	}
	return f.Kind() + " " + hex.EncodeToString(f.Key[:min(len(f.Key), 64)])
}
