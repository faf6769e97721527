package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"carillon/internal/encryption"
	"carillon/internal/engine/record"
	"carillon/internal/pause"
	"carillon/internal/store"
)

// keyPeriod is how often the key file is read.
const keyPeriod = 10 * time.Second

// checkKeys makes sure that the key file has all keys with which jobs may be sealed, and that the
// store remembers the current one.
func (e *Engine) checkKeys(ctx context.Context) error {
	prefix := record.EncryptionKey("")
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
		case id == "": // says only that jobs are sealed
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
	return e.rememberKey(ctx, e.config.Keys.Current())
}

// checkKey makes sure that the key of that id in the file is the one that sealed the jobs. With
// another one all jobs would look damaged.
func (e *Engine) checkKey(ctx context.Context, id string) error {
	values, err := e.rawStore.Get(ctx, record.EncryptionCheckKey(id))
	if err != nil {
		return fmt.Errorf("read which key %q is: %w", id, err)
	}
	check := e.config.Keys.Check(id)
	if values[0] == nil { // an earlier version wrote the store
		opens, err := e.opensSample(ctx, id)
		if err != nil {
			return err
		}
		if opens {
			var b store.Batch
			b.Put(record.EncryptionCheckKey(id), check)
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

// opensSample reports whether the key of that id opens one of the first jobs that name it, or none
// names it.
func (e *Engine) opensSample(ctx context.Context, id string) (bool, error) {
	const sample = 1000
	found := false
	for pair, err := range e.rawStore.Scan(ctx, record.JobRange(), sample) {
		if err != nil {
			return false, fmt.Errorf("read jobs that are sealed with the key %q: %w", id, err)
		}
		if record.SealedWith(pair.Value) != id {
			continue
		}
		if _, err := record.Open(e.config.Keys, pair.Key, pair.Value); err == nil {
			return true, nil
		}
		found = true
	}
	return !found, nil
}

// rememberKey has the store remember that jobs may be sealed with a key.
func (e *Engine) rememberKey(ctx context.Context, id string) error {
	var b store.Batch
	b.Put(record.EncryptionKey(""), nil)
	b.Put(record.EncryptionKey(id), nil)
	if check := e.config.Keys.Check(id); check != nil { // otherwise it is written at the next start
		b.Put(record.EncryptionCheckKey(id), check)
	}
	if err := e.store.Commit(ctx, &b); err != nil {
		return fmt.Errorf("write that the store is sealed with the key %q: %w", id, err)
	}
	return nil
}

// watchKeyFile reloads the keys when the file changes, until ctx ends.
func (e *Engine) watchKeyFile(ctx context.Context) {
	for logged := ""; ; {
		pause.For(ctx, keyPeriod)
		if ctx.Err() != nil {
			return
		}
		err := e.config.Keys.Reload(func(id string) error { return e.rememberKey(ctx, id) })
		switch {
		case err == nil:
			logged = ""
		case err.Error() != logged && ctx.Err() == nil:
			logged = err.Error()
			e.log.WarnContext(ctx, "the changed key file is not used; the keys that were there are", slog.Any("err", err))
		}
	}
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
