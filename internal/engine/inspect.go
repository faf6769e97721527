package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"carillon/internal/encryption"
	"carillon/internal/engine/record"
	"carillon/internal/store"
)

// An inspector tells whether an engine can use the keys of a store.
type inspector struct {
	store      store.Store
	partitions int
	skipSealed bool // sealed specs count as usable, because there are no encryption keys
}

// Inspect calls f with each key of s that an engine cannot use, in the order of keys. It reads
// sealed specs only if there are encryption keys. It reads everything; s may be in use.
func Inspect(ctx context.Context, s store.Store, keys *encryption.Keys, f func(Finding) error) error {
	values, err := s.Get(ctx, record.FormatKey())
	if err != nil {
		return fmt.Errorf("read the store's format: %w", err)
	}
	n, ok := record.DecodeFormat(values[0])
	if !ok {
		return &formatError{fmt.Sprintf("the store's format is %x, and this version of carillon knows only format %d", values[0], record.FormatVersion)}
	}
	x := inspector{store: s, partitions: n, skipSealed: keys == nil}
	if keys != nil {
		x.store = record.EncryptedStore{Store: s, Keys: keys}
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
		notes, err := s.Get(ctx, record.NoteKey(key))
		if err != nil {
			return fmt.Errorf("read a note: %w", err)
		}
		if notes[0] != nil {
			found.FirstSeen = record.DecodeNote(store.Pair{Key: record.NoteKey(key), Value: notes[0]}).FirstSeen
		}
		if err := f(found); err != nil {
			return err
		}
	}
	return nil
}

// confirmations is how often an unusable key is read, because an engine may be writing it.
const confirmations = 3

// confirm returns why the key cannot be used, or nil if it can or is gone.
func (x inspector) confirm(ctx context.Context, key []byte) (why, err error) {
	for range confirmations {
		if why, err = x.inspect(ctx, key); err != nil || why == nil {
			return nil, err
		}
	}
	return why, nil
}

func (x inspector) inspect(ctx context.Context, key []byte) (why, err error) {
	kind := record.KindOf(key)
	if kind == record.KindMeta {
		return nil, nil
	}
	if kind == record.KindDue {
		e, why := record.ParseDueKeyOf(key, x.partitions)
		if why != nil {
			return why, nil
		}
		return x.inspectEntry(ctx, e)
	}
	k, why := record.ParseKey(key)
	if why != nil {
		return why, nil
	}
	values, err := x.store.Get(ctx, record.JobKey(k), record.StateKey(k))
	if err != nil {
		return nil, fmt.Errorf("read job %s: %w", k, err)
	}
	switch {
	case values[0] == nil && values[1] != nil && kind == record.KindState:
		return errAlone, nil
	case values[0] == nil, kind == record.KindState, x.sealed(values[0]):
		return nil, nil
	}
	r := record.Decode(k, values[0], values[1])
	if r.Err != nil {
		return r.Err, nil
	}
	due := record.Entry{Due: r.Due(), Key: k, Partition: record.PartitionOf(k, x.partitions)}
	values, err = x.store.Get(ctx, record.DueKey(due))
	if err != nil {
		return nil, fmt.Errorf("read the due index of job %s: %w", k, err)
	}
	if values[0] == nil {
		return errNoEntry, nil
	}
	return nil, nil
}

// inspectEntry returns why e, which the due index holds, cannot be used.
func (x inspector) inspectEntry(ctx context.Context, e record.Entry) (why, err error) {
	values, err := x.store.Get(ctx, record.DueKey(e), record.JobKey(e.Key), record.StateKey(e.Key))
	if err != nil {
		return nil, fmt.Errorf("read job %s: %w", e.Key, err)
	}
	switch {
	case values[0] == nil, values[1] != nil && x.sealed(values[1]):
		return nil, nil
	case values[1] == nil:
		return errNoJob, nil
	}
	r := record.Decode(e.Key, values[1], values[2])
	unreadable := r.Err != nil // a finding of its own
	if unreadable || r.Due().Equal(e.Due) {
		return nil, nil //nolint:nilerr // see above
	}
	if has, err := hasEntry(ctx, x.store, e.At(r.Due())); err != nil || has {
		return nil, err // the loop removes it when it is due
	}
	return errDiffers, nil
}

func (x inspector) sealed(spec []byte) bool { return x.skipSealed && record.IsSealed(spec) }

// hasEntry reports whether the due index holds e.
func hasEntry(ctx context.Context, s store.Store, e record.Entry) (bool, error) {
	values, err := s.Get(ctx, record.DueKey(e))
	if err != nil {
		return false, fmt.Errorf("read the due index of job %s: %w", e.Key, err)
	}
	return values[0] != nil, nil
}

// missingKey returns an error if a spec is sealed with a key that the store remembers and keys
// lack. That is an error of the node: it must not put usable jobs in quarantine. The store
// remembers all keys, so an envelope that names another one is damaged.
func missingKey(ctx context.Context, s store.Store, keys *encryption.Keys, spec []byte) error {
	id := record.SealedWith(spec)
	if id == "" || keys != nil && keys.Has(id) {
		return nil
	}
	values, err := s.Get(ctx, record.EncryptionKey(id))
	if err != nil || values[0] == nil {
		return err
	}
	return fmt.Errorf("%w: it is %q; put it into the file of --encryption-key-file", errMissingKey, id)
}

var errMissingKey = errors.New("jobs are sealed with a key that this node has not")

// RemoveQuarantined removes from s a key that is in quarantine, and the note about it. If the key
// is a job, its entry in the due index becomes a finding.
func RemoveQuarantined(ctx context.Context, s store.Store, f Finding) error {
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
