package storemeta

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"carillon/internal/encryption"
	"carillon/internal/engine/record"
	"carillon/internal/pause"
	"carillon/internal/store"
)

// KeyPeriod is how often the key file is read.
const KeyPeriod = 10 * time.Second

// A KeyRegister remembers in a store which encryption keys may have sealed its jobs. It is safe for
// concurrent use.
type KeyRegister struct {
	store store.Store
	keys  *encryption.Keys // of the key file; nil if there is none
	log   *slog.Logger
}

// NewKeyRegister returns the register of the store s, which must not open sealed jobs itself.
func NewKeyRegister(s store.Store, keys *encryption.Keys, log *slog.Logger) *KeyRegister {
	return &KeyRegister{store: s, keys: keys, log: log}
}

// Check makes sure that the key file has all keys with which jobs may be sealed, and that the
// store remembers the current one.
func (r *KeyRegister) Check(ctx context.Context) error {
	prefix := record.EncryptionKey("")
	sealed, err := r.store.Get(ctx, prefix)
	if err != nil {
		return fmt.Errorf("read whether the store is sealed: %w", err)
	}
	if sealed[0] == nil && r.keys == nil { // as nearly always
		return nil
	}
	remembered := false
	for pair, err := range r.store.Scan(ctx, store.Prefix(prefix), 0) {
		if err != nil {
			return fmt.Errorf("read which keys the store is sealed with: %w", err)
		}
		id := string(pair.Key[len(prefix):])
		switch {
		case id == "": // says only that jobs are sealed
		case r.keys == nil:
			return &UnusableError{fmt.Sprintf("the store has jobs that are sealed with the key %q: name the file that has it with --encryption-key-file", id)}
		case !r.keys.Has(id):
			if err := r.forget(ctx, id); err != nil {
				return err
			}
		default:
			if err := r.checkKey(ctx, id); err != nil {
				return err
			}
			remembered = remembered || id == r.keys.Current()
		}
	}
	if r.keys == nil || remembered {
		return nil
	}
	return r.remember(ctx, r.keys.Current())
}

// checkKey makes sure that the key of that id in the file is the one that sealed the jobs. With
// another one all jobs would look damaged.
func (r *KeyRegister) checkKey(ctx context.Context, id string) error {
	values, err := r.store.Get(ctx, record.EncryptionCheckKey(id))
	if err != nil {
		return fmt.Errorf("read which key %q is: %w", id, err)
	}
	check := r.keys.Check(id)
	if values[0] == nil { // an earlier version wrote the store
		opens, err := r.opensSample(ctx, id)
		if err != nil {
			return err
		}
		if opens {
			var b store.Batch
			b.Put(record.EncryptionCheckKey(id), check)
			if err := r.store.Commit(ctx, &b); err != nil {
				return fmt.Errorf("write which key %q is: %w", id, err)
			}
			return nil
		}
	}
	if string(values[0]) != string(check) {
		return &UnusableError{fmt.Sprintf("the key %q of the key file is not the one of that name with which jobs are sealed: put that one back", id)}
	}
	return nil
}

// opensSample reports whether the key of that id opens one of the first jobs that name it, or none
// names it.
func (r *KeyRegister) opensSample(ctx context.Context, id string) (bool, error) {
	const sample = 1000
	found := false
	for pair, err := range r.store.Scan(ctx, record.JobRange(), sample) {
		if err != nil {
			return false, fmt.Errorf("read jobs that are sealed with the key %q: %w", id, err)
		}
		if record.SealedWith(pair.Value) != id {
			continue
		}
		if _, err := record.Open(r.keys, pair.Key, pair.Value); err == nil {
			return true, nil
		}
		found = true
	}
	return !found, nil
}

// remember has the store remember that jobs may be sealed with a key.
func (r *KeyRegister) remember(ctx context.Context, id string) error {
	var b store.Batch
	b.Put(record.EncryptionKey(""), nil)
	b.Put(record.EncryptionKey(id), nil)
	if check := r.keys.Check(id); check != nil { // otherwise it is written at the next start
		b.Put(record.EncryptionCheckKey(id), check)
	}
	if err := r.store.Commit(ctx, &b); err != nil {
		return fmt.Errorf("write that the store is sealed with the key %q: %w", id, err)
	}
	return nil
}

// WatchFile reloads the keys when the file changes, until ctx ends.
func (r *KeyRegister) WatchFile(ctx context.Context) {
	for logged := ""; ; {
		pause.For(ctx, KeyPeriod)
		if ctx.Err() != nil {
			return
		}
		err := r.keys.Reload(func(id string) error { return r.remember(ctx, id) })
		switch {
		case err == nil:
			logged = ""
		case err.Error() != logged && ctx.Err() == nil:
			logged = err.Error()
			r.log.WarnContext(ctx, "the changed key file is not used; the keys that were there are", slog.Any("err", err))
		}
	}
}

// IsSole reports whether the store remembers that a key seals all jobs. A newer key resets that.
func (r *KeyRegister) IsSole(ctx context.Context, id string) bool {
	values, err := r.store.Get(ctx, record.EncryptionKey(""))
	return err == nil && string(values[0]) == id
}

// RememberSole has the store remember that a key seals all jobs.
func (r *KeyRegister) RememberSole(ctx context.Context, id string) error {
	var b store.Batch
	b.Put(record.EncryptionKey(""), []byte(id))
	return r.store.Commit(ctx, &b)
}

// forget has the store forget a key that is not in the key file. If a job is sealed with it,
// that is an error.
func (r *KeyRegister) forget(ctx context.Context, id string) error {
	counts, err := CountSealed(ctx, r.store)
	if err != nil {
		return err
	}
	if n := counts[id]; n > 0 {
		return &UnusableError{fmt.Sprintf("the store has jobs that are sealed with the key %q, %d of them, which the key file has not: put it back", id, n)}
	}
	var b store.Batch
	b.Delete(record.EncryptionKey(id))
	b.Delete(record.EncryptionCheckKey(id))
	if err := r.store.Commit(ctx, &b); err != nil {
		return fmt.Errorf("forget the key %q: %w", id, err)
	}
	r.log.InfoContext(ctx, "a key is forgotten that no job is sealed with", slog.String("key", id))
	return nil
}
