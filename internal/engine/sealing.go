package engine

import (
	"context"
	"fmt"
	"iter"
	"log/slog"
	"time"

	"carillon/internal/encryption"
	"carillon/internal/store"
)

// sealedVersion begins a record that is an envelope around one of another version. Its owner is its key in the store: an
// envelope that was moved to another job does not open.
const sealedVersion = 2

// A sealing store keeps the specs of jobs, and with them their payloads, in envelopes. Keys, among them the names of
// jobs, and what says when a job is due and how far it has got can be read by whoever has the disk.
type sealing struct {
	store.Store
	keys *encryption.Keys
}

// Get implements [store.Store].
func (s sealing) Get(ctx context.Context, keys ...[]byte) ([][]byte, error) {
	values, err := s.Store.Get(ctx, keys...)
	for i, v := range values {
		values[i] = s.open(keys[i], v)
	}
	return values, err
}

// Scan implements [store.Store].
func (s sealing) Scan(ctx context.Context, r store.Range, limit int) iter.Seq2[store.Pair, error] {
	return func(yield func(store.Pair, error) bool) {
		for p, err := range s.Store.Scan(ctx, r, limit) {
			if err == nil {
				p.Value = s.open(p.Key, p.Value)
			}
			if !yield(p, err) {
				return
			}
		}
	}
}

// Commit implements [store.Store].
func (s sealing) Commit(ctx context.Context, b *store.Batch) error {
	sealed := *b
	sealed.Writes = make([]store.Write, len(b.Writes))
	for i, w := range b.Writes {
		if !w.Remove && w.Key[0] == tagJob {
			w.Value = s.keys.Seal(append(make([]byte, 0, 1+s.keys.Size(len(w.Value))), sealedVersion), w.Value, w.Key)
		}
		sealed.Writes[i] = w
	}
	return s.Store.Commit(ctx, &sealed)
}

// MaxBatch implements [store.Store].
func (s sealing) MaxBatch() (writes, bytes int) {
	writes, bytes = s.Store.MaxBatch()
	return writes, max(bytes/2, bytes-writes*(1+s.keys.Size(0)))
}

// open returns the record in an envelope. One that does not open is returned as it is, which nobody can read: that is
// the trouble of its job, and of no other.
func (s sealing) open(key, value []byte) []byte {
	if len(value) == 0 || value[0] != sealedVersion || len(key) == 0 || key[0] != tagJob {
		return value
	}
	record, err := s.keys.Open(value[1:], key)
	if err != nil {
		return value
	}
	return record
}

// keyPeriod is how often the file of keys is looked at.
const keyPeriod = 10 * time.Second

// checkKeys makes sure that all keys are there with which the store may hold envelopes, and that the store remembers
// the one that seals from now on.
func (e *Engine) checkKeys(ctx context.Context) error {
	prefix := sealKey("")
	sealed, err := e.store.Get(ctx, prefix)
	if err != nil {
		return fmt.Errorf("read whether the store is sealed: %w", err)
	}
	if sealed[0] == nil && e.config.Keys == nil { // as nearly always
		return nil
	}
	remembered := false
	for pair, err := range e.store.Scan(ctx, store.Prefix(prefix), 0) {
		if err != nil {
			return fmt.Errorf("read which keys the store is sealed with: %w", err)
		}
		id := string(pair.Key[len(prefix):])
		switch {
		case id == "": // that it is sealed at all
		case e.config.Keys == nil:
			return &formatError{fmt.Sprintf("the store has jobs that are sealed with the key %q: name the file that has it with --encryption-key-file", id)}
		case !e.config.Keys.Has(id):
			if err := e.forgetKey(ctx, id); err != nil {
				return err
			}
		default:
			if err := e.checkKey(ctx, id); err != nil {
				return err
			}
			remembered = remembered || id == e.config.Keys.Current()
		}
	}
	if e.config.Keys == nil || remembered {
		return nil
	}
	return e.remember(ctx, e.config.Keys.Current())
}

// checkKey makes sure that the key of that id in the file is the one that the store means. With another one all jobs would
// look damaged, and be put aside.
func (e *Engine) checkKey(ctx context.Context, id string) error {
	values, err := e.raw.Get(ctx, checkKey(id))
	if err != nil {
		return fmt.Errorf("read which key %q is: %w", id, err)
	}
	check := e.config.Keys.Check(id)
	if values[0] == nil { // an earlier version wrote the store
		opens, err := e.opensAny(ctx, id)
		if err != nil {
			return err
		}
		if opens {
			var b store.Batch
			b.Put(checkKey(id), check)
			if err := e.store.Commit(ctx, &b); err != nil {
				return fmt.Errorf("write which key %q is: %w", id, err)
			}
			return nil
		}
	}
	if string(values[0]) != string(check) {
		return &formatError{fmt.Sprintf("the key %q of the key file is not the one of that name with which jobs are sealed: put that one back", id)}
	}
	return nil
}

// opensAny reports whether the key of that id opens one of the first jobs that say they are sealed with it, or there are none.
func (e *Engine) opensAny(ctx context.Context, id string) (bool, error) {
	const sample = 1000
	met := false
	for pair, err := range e.raw.Scan(ctx, store.Prefix([]byte{tagJob}), sample) {
		if err != nil {
			return false, fmt.Errorf("read jobs that are sealed with the key %q: %w", id, err)
		}
		if sealedWith(pair.Value) != id {
			continue
		}
		if _, err := e.config.Keys.Open(pair.Value[1:], pair.Key); err == nil {
			return true, nil
		}
		met = true
	}
	return !met, nil
}

// remember has the store know that jobs may be sealed with a key.
func (e *Engine) remember(ctx context.Context, id string) error {
	var b store.Batch
	b.Put(sealKey(""), nil)
	b.Put(sealKey(id), nil)
	if check := e.config.Keys.Check(id); check != nil { // otherwise it is written at the next start
		b.Put(checkKey(id), check)
	}
	if err := e.store.Commit(ctx, &b); err != nil {
		return fmt.Errorf("write that the store is sealed with the key %q: %w", id, err)
	}
	return nil
}

// followKeys takes what changes in the file of keys until ctx ends.
func (e *Engine) followKeys(ctx context.Context) {
	for said := ""; ; {
		pause(ctx, keyPeriod)
		if ctx.Err() != nil {
			return
		}
		err := e.config.Keys.Reload(func(id string) error { return e.remember(ctx, id) })
		switch {
		case err == nil:
			said = ""
		case err.Error() != said && ctx.Err() == nil:
			said = err.Error()
			e.log.WarnContext(ctx, "the changed key file is not used; the keys that were there are", slog.Any("err", err))
		}
	}
}
