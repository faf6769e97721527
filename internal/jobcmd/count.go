package jobcmd

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"carillon/internal/command"
	pb "carillon/internal/managementv1"
	"carillon/internal/output"
	"carillon/internal/terminal"
)

// countOptions are the flags of job count.
type countOptions struct {
	selection

	format string
}

func newCount(std *terminal.Streams) *cobra.Command {
	o := &countOptions{selection: selection{serverOptions: serverOptions{std: std}}}
	c := &cobra.Command{
		Use:   "count",
		Short: "count jobs",
		Long: `Counts the jobs that job list would list without a limit. A scheduler does not count without end: a number with a plus
sign, such as 10000+, means that many or more.`,
		Example: `  carillon job count --all-namespaces
  carillon job count --app billing --state retrying`,
		Args: command.Args(),
		RunE: func(c *cobra.Command, _ []string) error { return runCount(c.Context(), o) },
	}
	o.addFlags(c)
	output.AddOneFlag(c, &o.format)
	return c
}

// runCount prints how many jobs there are.
func runCount(ctx context.Context, o *countOptions) error {
	if err := o.check(); err != nil {
		return err
	}
	return o.ask(ctx, func(ctx context.Context, client pb.ManagementClient) error {
		counted, err := client.CountJobs(ctx, &pb.CountJobsRequest{Parent: o.parent(), Filter: o.terms()})
		if err != nil {
			return inFlags(err)
		}
		if o.format == output.Text {
			text := fmt.Sprint(counted.GetCount())
			if !counted.GetExact() {
				text += "+"
			}
			_, err = fmt.Fprintln(o.std.Out, text)
		} else {
			err = output.PrintOne(o.std, o.format, counted, nil)
		}
		if err != nil {
			return err
		}
		return warnUnreachable(o.std, counted.GetUnreachable())
	})
}
