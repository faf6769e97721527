package storecmd

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"carillon/internal/command"
	"carillon/internal/engine/quarantine"
	"carillon/internal/terminal"
)

// quarantineDeleteOptions are the arguments and flags of quarantine delete.
type quarantineDeleteOptions struct {
	quarantineOptions

	id string
}

func newQuarantineDelete(std *terminal.Streams) *cobra.Command {
	o := &quarantineDeleteOptions{quarantineOptions: quarantineOptions{storeOptions: storeOptions{std: std}}}
	c := &cobra.Command{
		Use:   "delete ID",
		Short: "delete an entry",
		Long: `Deletes an entry in quarantine. Export it first if its value may be of use. The record of a job in a cluster is not
deleted: a scheduler may write it at this moment; delete the job through the API.`,
		Example: `  carillon quarantine delete 3f2a91c07be44d18 --data-dir /var/lib/carillon/carillon
  carillon quarantine delete 3f2a91c07be44d18 --etcd http://localhost:2379`,
		Args: command.Args("the ID of the entry"),
		RunE: func(c *cobra.Command, args []string) error {
			o.id = args[0]
			if err := o.check(c); err != nil {
				return err
			}
			return runQuarantineDelete(c.Context(), o)
		},
	}
	o.addFlags(c)
	return c
}

// runQuarantineDelete deletes the entry. It refuses the record of a job in a cluster: a running scheduler may
// be writing it.
func runQuarantineDelete(ctx context.Context, o *quarantineDeleteOptions) error {
	return o.find(ctx, o.id, func(open jobStore, f quarantine.Finding) error {
		if name, ok := f.Job(); ok && o.etcd != "" && f.Kind() == "job" {
			return fmt.Errorf("the job %s may be scheduled again at this moment: delete it through the API of the running schedulers", name)
		}
		if err := quarantine.Remove(ctx, open, f); err != nil {
			return err
		}
		_, err := fmt.Fprintf(o.std.Out, "%s: delete is done.\n", f)
		return err
	})
}
