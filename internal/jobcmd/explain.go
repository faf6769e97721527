package jobcmd

import (
	"context"

	"github.com/spf13/cobra"

	"carillon/internal/exit"
	pb "carillon/internal/managementv1"
	"carillon/internal/output"
	"carillon/internal/terminal"
)

// explainOptions are the arguments and flags of schedule explain.
type explainOptions struct {
	serverOptions

	schedule, due, ttl *string // nil if they were not given
	repeats            *uint32
	count              int32
	format             output.Format
}

func newExplain(std *terminal.Streams) *cobra.Command {
	o := &explainOptions{serverOptions: serverOptions{std: std}}
	var due, ttl string
	var repeats uint32
	c := &cobra.Command{
		Use:   "explain [SCHEDULE]",
		Short: "say what a schedule means",
		Long: `Says what a schedule means: in words, its next occurrences, and what may surprise you. The server checks it as it checks the
schedule of a job, and stores nothing. SCHEDULE has the form that a job takes: six fields from seconds to weekdays, a word
such as @daily, or @every and a duration. With --due, and without SCHEDULE, it is that of a job that runs once. CLOCK marks
where the clock changes: clock-changed, skipped (occurrences before this one) or repeated.`,
		Example: `  carillon schedule explain 'TZ=Europe/Berlin 0 30 9 * * MON-FRI'
  carillon schedule explain '@every 90m' --due 2027-01-01T00:00:00Z --repeats 5
  carillon schedule explain @hourly --ttl 24h --count 100 --output csv`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return exit.Usagef("schedule explain: unexpected argument %q: put SCHEDULE in quotes, as in '%s %s'", args[1], args[0], args[1])
			}
			return nil
		},
		ValidArgsFunction: cobra.FixedCompletions([]cobra.Completion{"@hourly", "@daily", "@weekly", "@monthly", "@yearly"}, cobra.ShellCompDirectiveNoFileComp),
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				o.schedule = &args[0]
			}
			if c.Flags().Changed("due") {
				o.due = &due
			}
			if c.Flags().Changed("ttl") {
				o.ttl = &ttl
			}
			if c.Flags().Changed("repeats") {
				o.repeats = &repeats
			}
			return runExplain(c.Context(), o)
		},
	}
	o.server.Add(c.Flags())
	c.Flags().StringVar(&due, "due", "", "`time` of the first occurrence: an instant such as 2027-01-01T09:00:00Z, or a duration from now")
	c.Flags().StringVar(&ttl, "ttl", "", "`time` at which the job expires: an instant, or a duration from --due, or else from now")
	c.Flags().Uint32Var(&repeats, "repeats", 0, "how many `occurrences` there are (default: no limit)")
	addCount(c, &o.count)
	output.AddSomeFlag(c, &o.format, scheduleFormats()...)
	return c
}

// runExplain prints what the schedule means.
func runExplain(ctx context.Context, o *explainOptions) error {
	if o.schedule == nil && o.due == nil {
		return exit.Usagef("schedule explain: give a SCHEDULE, such as @daily, or --due")
	}
	if err := checkCount(o.count); err != nil {
		return err
	}
	return o.ask(ctx, func(ctx context.Context, client pb.ManagementClient) error {
		e, err := client.ExplainSchedule(ctx, &pb.ExplainScheduleRequest{
			Schedule: o.schedule, DueTime: o.due, Ttl: o.ttl, Repeats: o.repeats, Count: o.count,
		})
		if err != nil {
			return inFlags(err)
		}
		return printSchedule(o.std, o.format, e)
	})
}
