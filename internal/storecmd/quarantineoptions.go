package storecmd

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"carillon/internal/engine/quarantine"
	"carillon/internal/nodecmd"
)

// quarantineOptions are the flags that the commands for the quarantine share.
type quarantineOptions struct {
	storeOptions

	keyFile string
}

// addFlags adds the flags that fill o to c.
func (o *quarantineOptions) addFlags(c *cobra.Command) {
	o.storeOptions.addFlags(c.Flags())
	c.Flags().StringVar(&o.keyFile, "encryption-key-file", "", "`file` with the encryption keys of the scheduler, if it has one")
}

// inspect opens the store, and calls do with the wanted entries of its quarantine.
func (o *quarantineOptions) inspect(
	ctx context.Context, wanted func(quarantine.Finding) bool, do func(jobStore, []quarantine.Finding) error,
) (err error) {
	keys, err := nodecmd.OpenKeys(o.keyFile)
	if err != nil {
		return err
	}
	open, err := o.openExisting(ctx, "stop it first; its /healthz shows the number of entries")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, open.Close()) }()
	var found []quarantine.Finding
	if err := quarantine.Inspect(ctx, open, keys, func(f quarantine.Finding) error {
		if wanted(f) {
			found = append(found, f)
		}
		return nil
	}); err != nil {
		return err
	}
	return do(open, found)
}

// find calls do with the entry of that id.
func (o *quarantineOptions) find(ctx context.Context, id string, do func(jobStore, quarantine.Finding) error) error {
	hasID := func(f quarantine.Finding) bool { return idOf(f.Key) == id }
	return o.inspect(ctx, hasID, func(open jobStore, found []quarantine.Finding) error {
		if len(found) == 0 {
			return fmt.Errorf("no quarantined entry has the id %s: 'carillon quarantine list' shows the ids", id)
		}
		return do(open, found[0])
	})
}

// idOf returns a short id of a key of a store.
func idOf(key []byte) string {
	const bytes = 8
	sum := sha256.Sum256(key)
	return hex.EncodeToString(sum[:bytes])
}
