package jobcmd

import (
	"github.com/spf13/cobra"

	"carillon/internal/command"
	"carillon/internal/terminal"
)

// NewSchedule returns the commands for schedules that no job has.
func NewSchedule(std *terminal.Streams) *cobra.Command {
	return command.Group(&cobra.Command{
		Use:   "schedule",
		Short: "explain schedules",
		Long:  "Says what a schedule means, before a job has it.",
		Example: `  carillon schedule explain @daily
  carillon schedule explain 'TZ=Europe/Berlin 0 30 9 * * MON-FRI' --count 20`,
	}, newExplain(std))
}
