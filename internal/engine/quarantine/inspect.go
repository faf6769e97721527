package quarantine

import (
	"bytes"
	"context"
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
		return fmt.Errorf("the store's format is %x, and this version of carillon knows only format %d", values[0], record.FormatVersion)
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

// isBroken reports whether the key is in the store and cannot be used.
func (x inspector) isBroken(ctx context.Context, key []byte) (bool, error) {
	values, err := x.store.Get(ctx, key)
	if err != nil || values[0] == nil {
		return false, err
	}
	why, err := x.inspect(ctx, key)
	return why != nil, err
}

// inspect returns why the key cannot be used, or nil if it can.
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
		return ErrNoJob, nil
	}
	r := record.Decode(e.Key, values[1], values[2])
	unreadable := r.Err != nil // a finding of its own
	if unreadable || r.Due().Equal(e.Due) {
		return nil, nil //nolint:nilerr // see above
	}
	if has, err := record.HasEntry(ctx, x.store, e.At(r.Due())); err != nil || has {
		return nil, err // the loop removes it when it is due
	}
	return ErrDiffers, nil
}

// sealed reports whether spec is sealed and cannot be opened, because there are no keys.
func (x inspector) sealed(spec []byte) bool { return x.skipSealed && record.IsSealed(spec) }
