// Package appcmd is the commands that show apps and nodes. They use the client of the management API.
package appcmd

import (
	"github.com/spf13/cobra"

	"carillon/internal/command"
	"carillon/internal/terminal"
)

// New returns the commands that show apps.
func New(std *terminal.Streams) *cobra.Command {
	return command.Group(&cobra.Command{
		Use:   "app",
		Short: "list and show apps",
		Long: `Shows the apps and actor types that jobs call: which sidecars are connected, what is in flight, and what is overdue. Each
command asks the management API of a scheduler or of carillon dev, and changes nothing.`,
		Example: `  carillon app list
  carillon app list --disconnected --overdue
  carillon app get billing`,
	}, newListApps(std), newGetApp(std))
}

// NewNode returns the commands that show nodes.
func NewNode(std *terminal.Streams) *cobra.Command {
	return command.Group(&cobra.Command{
		Use:   "node",
		Short: "list and show nodes",
		Long: `Shows the schedulers of a cluster, or the only one: whether each answers, what it owns, and how its disk and its store
are. Any node answers for all. Each command asks the management API of a scheduler or of carillon dev, and changes nothing.`,
		Example: `  carillon node list
  carillon node get dapr-scheduler-server-0`,
	}, newListNodes(std), newGetNode(std))
}
