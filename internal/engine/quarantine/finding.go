package quarantine

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"

	"carillon/internal/engine/record"
	"carillon/internal/store"
)

// A Finding is a key of the store that is in quarantine.
type Finding record.Note

// The reasons of findings that are about more than one key.
var (
	ErrNoJob   = errors.New("an entry of the due index, and there is no such job")
	errAlone   = errors.New("a state, and there is no such job")
	errNoEntry = errors.New("the due index has no entry for it: it will not fire; schedule it again")
	ErrDiffers = errors.New("an entry of the due index that its job disagrees with, which has none where it says")
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

// Remove removes from s a key that is in quarantine, and the note about it. If the key is a job, its
// entry in the due index becomes a finding.
func Remove(ctx context.Context, s store.Store, f Finding) error {
	var b store.Batch
	b.Delete(f.Key)
	b.Delete(record.NoteKey(f.Key))
	if k, err := record.ParseJobKey(f.Key); err == nil { // its state is useless without it
		b.Delete(record.StateKey(k))
	}
	if err := s.Commit(ctx, &b); err != nil {
		return fmt.Errorf("remove %s: %w", f, err)
	}
	return nil
}
