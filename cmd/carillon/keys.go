package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"slices"

	"carillon/internal/encryption"
	"carillon/internal/engine"
)

// openKeys returns the keys of a file, or nil if there is none.
func openKeys(file string) (*encryption.Keys, error) {
	if file == "" {
		return nil, nil
	}
	keys, err := encryption.Open(file)
	if err != nil {
		return nil, fmt.Errorf("--encryption-key-file: %w", err)
	}
	return keys, nil
}

const keysUsage = `Usage: carillon keys [flags]

Shows how many jobs each key of --encryption-key-file has sealed, by the keys' ids, and how many none has. A key that has
none and is not the first in the file of any scheduler may be taken out of it. It reads the folder of a scheduler that is
stopped, or all jobs of several while they run, through the etcd of this machine's; of one that runs, the metric
carillon_sealed_jobs says the same.

  carillon keys --data-dir /var/lib/carillon/carillon
  carillon keys --etcd http://localhost:2379
`

// A keysConfig is the flags of keys.
type keysConfig struct {
	*storeConfig

	uses listing[keyUse]
}

func keysFlags() (*flag.FlagSet, *keysConfig) {
	fs, store := storeFlags("keys")()
	c := &keysConfig{storeConfig: store, uses: listing[keyUse]{
		head: "KEY\tJOBS",
		row: func(k keyUse) string {
			if k.Key == "" {
				k.Key = "(not sealed)"
			}
			return fmt.Sprintf("%s\t%d", k.Key, k.Jobs)
		},
		yaml: func(k keyUse) string { return fmt.Sprintf("- key: %q\n  jobs: %d\n", k.Key, k.Jobs) },
	}}
	c.uses.flag(fs)
	return fs, c
}

// A keyUse says how many jobs a key has sealed.
type keyUse struct {
	Key  string `json:"key"` // empty: those that are not sealed
	Jobs int64  `json:"jobs"`
}

// keys shows which keys are needed.
func keys(ctx context.Context, args []string, std stdio) (err error) {
	fs, c := keysFlags()
	if err := parse(fs, keysUsage, args, std); err != nil {
		return err
	}
	if err := c.check(fs.Name()); err != nil {
		return err
	}
	open, err := c.openHeld(ctx, "stop it first, or read its metric carillon_sealed_jobs, which says the same")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, open.Close()) }()
	counts, err := engine.CountSealed(ctx, open)
	if err != nil {
		return err
	}
	var all []keyUse
	for _, id := range slices.Sorted(maps.Keys(counts)) {
		all = append(all, keyUse{id, counts[id]})
	}
	return c.uses.print(all, std.Out)
}
