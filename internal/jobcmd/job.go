// Package jobcmd is the commands that show jobs, reminders and schedules. They use the client of the management
// API.
package jobcmd

import (
	"github.com/spf13/cobra"

	"carillon/internal/command"
	"carillon/internal/terminal"
)

// New returns the commands.
func New(std *terminal.Streams) *cobra.Command {
	return command.Group(&cobra.Command{
		Use:   "job",
		Short: "list, show, count and explain jobs",
		Long: `Shows the jobs of a scheduler: which there are, when each is due next, and what holds one that is due. Each command asks
the management API of a scheduler or of carillon dev, and changes nothing.`,
		Example: `  carillon job list --app billing
  carillon job get backup --app billing
  carillon job why backup --app billing
  carillon job count --state overdue`,
	}, newList(std), newGet(std), newCount(std), newWhy(std), newUpcoming(std))
}
