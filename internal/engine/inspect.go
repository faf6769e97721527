package engine

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"carillon/internal/encryption"
	"carillon/internal/job"
	"carillon/internal/store"
)

// An inspector says of the keys of a store whether an engine can use them. The zero of opaque and keys is for a store that
// opens envelopes by itself.
type inspector struct {
	store      store.Store
	partitions int
	opaque     bool // what is sealed is taken to be in order: there are no keys
}

// Inspect calls f with each key of s that an engine cannot use, in the order of keys. Jobs that are sealed are looked into
// only if there are keys. It reads everything; s may be in use.
func Inspect(ctx context.Context, s store.Store, keys *encryption.Keys, f func(Finding) error) error {
	values, err := s.Get(ctx, formatKey())
	if err != nil {
		return fmt.Errorf("read the store's format: %w", err)
	}
	format := values[0]
	if len(format) == 0 || format[0] != formatVersion {
		return &formatError{fmt.Sprintf("the store's format is %x, and this version of carillon knows only format %d", format, formatVersion)}
	}
	n, _ := binary.Uvarint(format[1:])
	x := inspector{store: s, partitions: int(n), opaque: keys == nil}
	if keys != nil {
		x.store = sealing{s, keys}
	}
	var key []byte
	for pair, err := range x.store.Scan(ctx, store.Range{}, 0) {
		if err != nil {
			return fmt.Errorf("read the store: %w", err)
		}
		key = append(key[:0], pair.Key...)
		size := len(pair.Value)
		why, err := x.confirm(ctx, key)
		if err != nil {
			return err
		}
		if why == nil {
			continue
		}
		found := Finding{Key: bytes.Clone(key), Reason: why.Error(), Bytes: size}
		notes, err := s.Get(ctx, noteKey(key))
		if err != nil {
			return fmt.Errorf("read a note: %w", err)
		}
		if notes[0] != nil {
			found.FirstSeen = decodeNote(store.Pair{Key: noteKey(key), Value: notes[0]}).FirstSeen
		}
		if err := f(found); err != nil {
			return err
		}
	}
	return nil
}

// confirmations is how often a key is looked at that seems to be unusable: others may be writing.
const confirmations = 3

// confirm returns why the key cannot be used, nil if it can or is gone.
func (x inspector) confirm(ctx context.Context, key []byte) (why, err error) {
	for range confirmations {
		if why, err = x.inspect(ctx, key); err != nil || why == nil {
			return nil, err
		}
	}
	return why, nil
}

func (x inspector) inspect(ctx context.Context, key []byte) (why, err error) {
	if len(key) > 0 && key[0] == tagMeta {
		return nil, nil
	}
	if len(key) > 0 && key[0] == tagDue {
		e, why := parseEntry(key, x.partitions)
		if why != nil {
			return why, nil
		}
		return x.entry(ctx, e)
	}
	k, why := parseAbout(key)
	if why != nil {
		return why, nil
	}
	values, err := x.store.Get(ctx, jobKey(k), stateKey(k))
	if err != nil {
		return nil, fmt.Errorf("read job %s: %w", k, err)
	}
	switch {
	case values[0] == nil && values[1] != nil && key[0] == tagState:
		return errAlone, nil
	case values[0] == nil, key[0] == tagState, x.sealed(values[0]):
		return nil, nil
	}
	r := decodeRecord(k, values[0], values[1])
	if r.broken != nil {
		return r.broken, nil
	}
	due := entry{due: r.due(), key: k, partition: partitionOf(k, x.partitions)}
	values, err = x.store.Get(ctx, dueKey(due))
	if err != nil {
		return nil, fmt.Errorf("read the due index of job %s: %w", k, err)
	}
	if values[0] == nil {
		return errNoEntry, nil
	}
	return nil, nil
}

// entry returns why e, which the due index holds, cannot be used.
func (x inspector) entry(ctx context.Context, e entry) (why, err error) {
	values, err := x.store.Get(ctx, dueKey(e), jobKey(e.key), stateKey(e.key))
	if err != nil {
		return nil, fmt.Errorf("read job %s: %w", e.key, err)
	}
	switch {
	case values[0] == nil, values[1] != nil && x.sealed(values[1]):
		return nil, nil
	case values[1] == nil:
		return errNoJob, nil
	}
	r := decodeRecord(e.key, values[1], values[2])
	unreadable := r.broken != nil // which is a finding of its own
	if unreadable || r.due().Equal(e.due) {
		return nil, nil //nolint:nilerr // see above
	}
	if present, err := present(ctx, x.store, e.at(r.due())); err != nil || present {
		return nil, err // it is removed when it is due
	}
	return errDiffers, nil
}

func (x inspector) sealed(record []byte) bool {
	return x.opaque && len(record) > 0 && record[0] == sealedVersion
}

// present reports whether the due index holds e.
func present(ctx context.Context, s store.Store, e entry) (bool, error) {
	values, err := s.Get(ctx, dueKey(e))
	if err != nil {
		return false, fmt.Errorf("read the due index of job %s: %w", e.key, err)
	}
	return values[0] != nil, nil
}

// missingKey returns an error if a record is sealed with a key of the store that keys have not. That is no trouble of the
// record: a node without a key must not put aside what it cannot read. The store remembers all keys that it is sealed with,
// so that an envelope which names another one is damaged.
func missingKey(ctx context.Context, s store.Store, keys *encryption.Keys, record []byte) error {
	if len(record) == 0 || record[0] != sealedVersion {
		return nil
	}
	id := encryption.KeyID(record[1:])
	if id == "" || keys != nil && keys.Has(id) {
		return nil
	}
	values, err := s.Get(ctx, sealKey(id))
	if err != nil || values[0] == nil {
		return err
	}
	return fmt.Errorf("%w: it is %q; put it into the file of --encryption-key-file", errMissingKey, id)
}

var errMissingKey = errors.New("jobs are sealed with a key that this node has not")

// Release removes from s a key that is in quarantine, and the note about it. What a job that cannot be read has in the due
// index is a finding of its own then.
func Release(ctx context.Context, s store.Store, f Finding) error {
	var b store.Batch
	b.Delete(f.Key)
	b.Delete(noteKey(f.Key))
	if k, err := parseJob(f.Key); err == nil { // its state says nothing without it
		b.Delete(stateKey(k))
	}
	if err := s.Commit(ctx, &b); err != nil {
		return fmt.Errorf("remove %s: %w", f, err)
	}
	return nil
}

// parseAbout returns the job that a key of a spec, a state or an entry of the due index is about.
func parseAbout(key []byte) (job.Key, error) {
	if len(key) > 0 && key[0] == tagDue {
		e, err := parseDue(key)
		return e.key, err
	}
	if len(key) == 0 || key[0] != tagJob && key[0] != tagState {
		return job.Key{}, fmt.Errorf("%w %x: it is of no kind that is known here", errKey, key[:min(len(key), 64)])
	}
	return parseJob(append([]byte{tagJob}, key[1:]...))
}

// parseEntry is parseDue for a store of so many partitions: the entry is where its job belongs.
func parseEntry(key []byte, partitions int) (entry, error) {
	e, err := parseDue(key)
	if err == nil && e.partition != partitionOf(e.key, partitions) {
		return entry{}, fmt.Errorf("due index: %w: the job %s does not belong to partition %d", errKey, e.key, e.partition)
	}
	return e, err
}
