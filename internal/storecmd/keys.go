package storecmd

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"carillon/internal/command"
	"carillon/internal/engine/storemeta"
	"carillon/internal/output"
	"carillon/internal/terminal"
)

// keyUse is how many jobs a key encrypts.
type keyUse struct {
	Key  string `json:"key"` // empty: jobs that are not encrypted
	Jobs int64  `json:"jobs"`
}

// keysOptions are the flags of keys.
type keysOptions struct {
	storeOptions

	format output.Format
}

// NewKeys returns the command that counts the jobs of each encryption key.
func NewKeys(std *terminal.Streams) *cobra.Command {
	o := &keysOptions{storeOptions: storeOptions{std: std}}
	c := &cobra.Command{
		Use:   "keys",
		Short: "count the jobs that each encryption key encrypts",
		Long: `Counts the jobs that each key of --encryption-key-file encrypts, by key id, and the unencrypted ones. You may remove a key
without jobs, unless it is the first in the file of a scheduler. A single scheduler must be stopped: its jobs are read from
its data directory. Those of a cluster are read while it runs, through the etcd of this machine. The metric
carillon_sealed_jobs of a running scheduler shows the same.`,
		Example: `  carillon keys --data-dir /var/lib/carillon/carillon
  carillon keys --etcd http://localhost:2379 --output json`,
		Args: command.Args(),
		RunE: func(c *cobra.Command, _ []string) error {
			if err := o.check(c); err != nil {
				return err
			}
			return runKeys(c.Context(), o)
		},
	}
	o.addFlags(c.Flags())
	output.AddFlag(c, &o.format)
	return c
}

// runKeys prints how many jobs each key encrypts.
func runKeys(ctx context.Context, o *keysOptions) (err error) {
	open, err := o.openExisting(ctx, "stop it first, or read its metric carillon_sealed_jobs, which shows the same")
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
	return keyUses().Print(o.std, o.format, all)
}

// keyUses returns how uses of keys are printed.
func keyUses() *output.List[keyUse] {
	name := func(k keyUse) string { return cmp.Or(k.Key, "(not encrypted)") }
	return &output.List[keyUse]{
		Columns: []output.Column[keyUse]{
			{Header: "KEY", Value: func(k keyUse) any { return name(k) }},
			{Header: "JOBS", Value: func(k keyUse) any { return k.Jobs }},
		},
		Name: name,
		None: "no jobs",
	}
}
