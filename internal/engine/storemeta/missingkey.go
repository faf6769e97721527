package storemeta

import (
	"context"
	"errors"
	"fmt"

	"carillon/internal/encryption"
	"carillon/internal/engine/record"
	"carillon/internal/store"
)

// ErrMissingKey says that a node needs a key that only other nodes have.
var ErrMissingKey = errors.New("jobs are sealed with a key that this node has not")

// MissingKey returns an error if a spec is sealed with a key that the store remembers and keys
// lack. That is an error of the node: it must not put usable jobs in quarantine. The store
// remembers all keys, so an envelope that names another one is damaged.
func MissingKey(ctx context.Context, s store.Store, keys *encryption.Keys, spec []byte) error {
	id := record.SealedWith(spec)
	if id == "" || keys != nil && keys.Has(id) {
		return nil
	}
	values, err := s.Get(ctx, record.EncryptionKey(id))
	if err != nil || values[0] == nil {
		return err
	}
	return fmt.Errorf("%w: it is %q; put it into the file of --encryption-key-file", ErrMissingKey, id)
}
