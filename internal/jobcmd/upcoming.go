package jobcmd

import (
	"context"

	"github.com/spf13/cobra"

	"carillon/internal/exit"
	pb "carillon/internal/managementv1"
	"carillon/internal/output"
	"carillon/internal/terminal"
)

// Bounds of the flag --count.
const (
	defaultOccurrences = 10
	maxOccurrences     = 1000
)

// upcomingOptions are the arguments and flags of job upcoming.
type upcomingOptions struct {
	jobName

	count  int32
	format output.Format
}

func newUpcoming(std *terminal.Streams) *cobra.Command {
	o := &upcomingOptions{jobName: jobName{serverOptions: serverOptions{std: std}, command: "job upcoming"}}
	c := &cobra.Command{
		Use:   "upcoming NAME",
		Short: "show when a job is due next",
		Long: `Shows the schedule of a job in words, and its next occurrences, the present one first: in your time zone, and on the
clock of the schedule. CLOCK marks where the clock changes: clock-changed, skipped (occurrences before this one) or
repeated. NAME is as in 'carillon job get'.`,
		Example: `  carillon job upcoming backup --app billing
  carillon job upcoming app/billing/backup --count 100 --output csv`,
		RunE: func(c *cobra.Command, args []string) error {
			o.name = args[0]
			return runUpcoming(c.Context(), o)
		},
	}
	o.addTo(c)
	addCount(c, &o.count)
	output.AddSomeFlag(c, &o.format, scheduleFormats()...)
	return c
}

// addCount adds the flag --count, which sets count, to a command that shows occurrences.
func addCount(c *cobra.Command, count *int32) {
	c.Flags().Int32VarP(count, "count", "c", defaultOccurrences, "the most `occurrences` to show")
}

// checkCount returns an error if count cannot be requested.
func checkCount(count int32) error {
	if count < 1 || count > maxOccurrences {
		return exit.Usagef("--count %d: it must be between 1 and %d", count, maxOccurrences)
	}
	return nil
}

// runUpcoming prints the occurrences.
func runUpcoming(ctx context.Context, o *upcomingOptions) error {
	if err := checkCount(o.count); err != nil {
		return err
	}
	id, err := o.id()
	if err != nil {
		return err
	}
	return o.ask(ctx, func(ctx context.Context, client pb.ManagementClient) error {
		e, err := client.ListUpcomingOccurrences(ctx, &pb.ListUpcomingOccurrencesRequest{Name: id.resource(), Count: o.count})
		if err != nil {
			return errorOf(id, err)
		}
		return printSchedule(o.std, o.format, e)
	})
}
