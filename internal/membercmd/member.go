// Package membercmd is the commands for the members of a cluster with embedded etcd.
package membercmd

import (
	"github.com/spf13/cobra"

	"carillon/internal/command"
	"carillon/internal/terminal"
)

// New returns the commands.
func New(std *terminal.Streams) *cobra.Command {
	return command.Group(&cobra.Command{
		Use:   "member",
		Short: "list the schedulers of a cluster, or replace a lost one",
		Long: `Lists the schedulers of a cluster with embedded etcd, and replaces one that has lost its data. It connects to the scheduler
of this machine.`,
		Example: `  carillon member list
  carillon member replace dapr-scheduler-server-2`,
	}, newList(std), newReplace(std))
}
