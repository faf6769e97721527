package storecmd

import (
	"context"
	"encoding/hex"
	"time"

	"github.com/spf13/cobra"

	"carillon/internal/command"
	"carillon/internal/engine/quarantine"
	"carillon/internal/output"
	"carillon/internal/terminal"
)

// finding is a quarantined key of a store, as it is printed.
type finding struct {
	ID        string    `json:"id"`
	Kind      string    `json:"kind"`          // due, job, state or other
	Job       string    `json:"job,omitempty"` // the job of the key, if it has one
	Key       string    `json:"key"`           // hexadecimal
	Reason    string    `json:"reason"`
	Bytes     int       `json:"bytes"`
	FirstSeen time.Time `json:"firstSeen,omitzero"` // zero if no scheduler has read it yet
}

func newFinding(f quarantine.Finding) finding {
	s := finding{ID: idOf(f.Key), Kind: f.Kind(), Key: hex.EncodeToString(f.Key), Reason: f.Reason, Bytes: f.Bytes, FirstSeen: f.FirstSeen}
	s.Job, _ = f.Job()
	return s
}

// findings returns how quarantined keys are printed.
func findings() *output.List[finding] {
	return &output.List[finding]{
		Columns: []output.Column[finding]{
			{Header: "ID", Value: func(f finding) any { return f.ID }},
			{Header: "KIND", Value: func(f finding) any { return f.Kind }},
			{Header: "JOB", Value: func(f finding) any { return f.Job }},
			{Header: "BYTES", Value: func(f finding) any { return f.Bytes }},
			{Header: "FIRST SEEN", Value: func(f finding) any { return f.FirstSeen }},
			{Header: "KEY", Value: func(f finding) any { return f.Key }, Wide: true},
			{Header: "REASON", Value: func(f finding) any { return f.Reason }},
		},
		Name: func(f finding) string { return f.ID },
		None: "nothing is in quarantine",
	}
}

// quarantineListOptions are the flags of quarantine list.
type quarantineListOptions struct {
	quarantineOptions

	format output.Format
}

func newQuarantineList(std *terminal.Streams) *cobra.Command {
	o := &quarantineListOptions{quarantineOptions: quarantineOptions{storeOptions: storeOptions{std: std}}}
	c := &cobra.Command{
		Use:   "list",
		Short: "list what a scheduler cannot use",
		Long:  "Lists the entries in quarantine: the id of each, its job, and why it cannot be used.",
		Example: `  carillon quarantine list --data-dir /var/lib/carillon/carillon
  carillon quarantine list --etcd http://localhost:2379 --output json`,
		Args: command.Args(),
		RunE: func(c *cobra.Command, _ []string) error {
			if err := o.check(c); err != nil {
				return err
			}
			return runQuarantineList(c.Context(), o)
		},
	}
	o.addFlags(c)
	output.AddFlag(c, &o.format)
	return c
}

// runQuarantineList prints what is in quarantine.
func runQuarantineList(ctx context.Context, o *quarantineListOptions) error {
	every := func(quarantine.Finding) bool { return true }
	return o.inspect(ctx, every, func(_ jobStore, found []quarantine.Finding) error {
		var all []finding
		for _, f := range found {
			all = append(all, newFinding(f))
		}
		return findings().Print(o.std, o.format, all)
	})
}
