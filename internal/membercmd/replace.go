package membercmd

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"carillon/internal/command"
	"carillon/internal/store/etcdmember"
	"carillon/internal/terminal"
)

// replaceOptions are the arguments and flags of member replace.
type replaceOptions struct {
	std      *terminal.Streams
	etcd, id string
}

func newReplace(std *terminal.Streams) *cobra.Command {
	o := &replaceOptions{std: std}
	c := &cobra.Command{
		Use:   "replace ID",
		Short: "replace a scheduler that has lost its data",
		Long: `Replaces a scheduler that has lost its data: the cluster removes the old member and expects a new one, which you start with
an empty data directory.`,
		Example: `  carillon member replace dapr-scheduler-server-2
  carillon member replace dapr-scheduler-server-2 --etcd http://localhost:2379`,
		Args: command.Args("the ID of the scheduler"),
		RunE: func(c *cobra.Command, args []string) error {
			o.id = args[0]
			return runReplace(c.Context(), o)
		},
	}
	addEtcdFlag(c.Flags(), &o.etcd)
	return c
}

// runReplace removes the member and adds a new one.
func runReplace(ctx context.Context, o *replaceOptions) error {
	if err := etcdmember.Replace(ctx, o.etcd, o.id); err != nil {
		return err
	}
	_, err := fmt.Fprintf(o.std.Out, "The cluster expects a new %s: start it with an empty data directory.\n", o.id)
	return err
}
