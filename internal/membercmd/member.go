// Package membercmd is the commands for the members of a cluster with embedded etcd.
package membercmd

import (
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

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

// addEtcdFlag adds the flag with the address of etcd, which sets p.
func addEtcdFlag(fs *pflag.FlagSet, p *string) {
	fs.StringVar(p, "etcd", "http://localhost:2379", "`address` of this machine's etcd: --etcd-client-listen-address and --etcd-client-port of its scheduler")
}
