package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"slices"

	"carillon/internal/engine/storemeta"
)

const keysUsage = `Usage: carillon keys [flags]

Counts the jobs that each key of --encryption-key-file encrypts, by key id, and the unencrypted ones. You may remove a key
without jobs, unless it is the first in the file of a scheduler. A single scheduler must be stopped: its jobs are read from
its data directory. Those of a cluster are read while it runs, through the etcd of this machine. The metric
carillon_sealed_jobs of a running scheduler shows the same.

  carillon keys --data-dir /var/lib/carillon/carillon
  carillon keys --etcd http://localhost:2379
`

// keysConfig are the flags of keys.
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
				k.Key = "(not encrypted)"
			}
			return fmt.Sprintf("%s\t%d", k.Key, k.Jobs)
		},
		yaml: func(k keyUse) string { return fmt.Sprintf("- key: %q\n  jobs: %d\n", k.Key, k.Jobs) },
	}}
	c.uses.flag(fs)
	return fs, c
}

// keyUse is how many jobs a key encrypts.
type keyUse struct {
	Key  string `json:"key"` // empty: jobs that are not encrypted
	Jobs int64  `json:"jobs"`
}

// keys prints how many jobs each key encrypts.
func keys(ctx context.Context, args []string, std stdio) (err error) {
	fs, c := keysFlags()
	if err := parseFlags(fs, keysUsage, args, std); err != nil {
		return err
	}
	if err := c.check(fs.Name()); err != nil {
		return err
	}
	open, err := c.openExisting(ctx, "stop it first, or read its metric carillon_sealed_jobs, which shows the same")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, open.Close()) }()
	counts, err := storemeta.CountSealed(ctx, open)
	if err != nil {
		return err
	}
	var all []keyUse
	for _, id := range slices.Sorted(maps.Keys(counts)) {
		all = append(all, keyUse{id, counts[id]})
	}
	return c.uses.print(all, std.Out)
}
