package jobcmd

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"

	pb "carillon/internal/managementv1"
	"carillon/internal/output"
	"carillon/internal/terminal"
)

// whyOptions are the arguments and flags of job why.
type whyOptions struct {
	jobName

	format output.Format
}

func newWhy(std *terminal.Streams) *cobra.Command {
	o := &whyOptions{jobName: jobName{serverOptions: serverOptions{std: std}, command: "job why"}}
	c := &cobra.Command{
		Use:   "why NAME",
		Short: "say why a job runs now, or why not",
		Long: `Says in a sentence why a job runs now, or why not. Then it shows every gate that a trigger of the job passes, in this order:
whether it is open, since when, and its value. It shows them as they are now, also while the job is not due. NAME is as in
'carillon job get'.`,
		Example: `  carillon job why backup --app billing
  carillon job why app/billing/backup --output json`,
		RunE: func(c *cobra.Command, args []string) error {
			o.name = args[0]
			return runWhy(c.Context(), o)
		},
	}
	o.addTo(c)
	output.AddSomeFlag(c, &o.format, output.Table, output.Wide, output.JSON, output.YAML)
	return c
}

// runWhy prints the reason and the gates.
func runWhy(ctx context.Context, o *whyOptions) error {
	id, err := o.id()
	if err != nil {
		return err
	}
	return o.ask(ctx, func(ctx context.Context, client pb.ManagementClient) error {
		e, err := client.ExplainJob(ctx, &pb.ExplainJobRequest{Name: id.resource()})
		if err != nil {
			return errorOf(id, err)
		}
		if err := o.print(e); err != nil {
			return err
		}
		return warnUnreachable(o.std, e.GetUnreachable())
	})
}

// print writes the sentence and the gates.
func (o *whyOptions) print(e *pb.JobExplanation) error {
	if o.format == output.JSON || o.format == output.YAML {
		return output.PrintOne(o.std, string(o.format), e, nil)
	}
	local := func(text string) string { return localInstants(o.std, o.format, text) }
	if err := output.PrintText(o.std, fmt.Sprintf("%s (%s)", local(e.GetMessage()), e.GetReason()), ""); err != nil {
		return err
	}
	gates := output.List[*pb.Gate]{Columns: []output.Column[*pb.Gate]{
		{Header: "GATE", Value: func(g *pb.Gate) any { return strings.ReplaceAll(strings.ToLower(g.GetType().String()), "_", "-") }},
		{Header: "STATUS", Value: func(g *pb.Gate) any { return strings.ToLower(g.GetStatus().String()) }},
		{Header: "SINCE", Value: func(g *pb.Gate) any { return timeOf(g.GetSinceTime()) }},
		{Header: "VALUE", Value: func(g *pb.Gate) any { return local(g.GetMessage()) }},
	}}
	return gates.Print(o.std, o.format, e.GetGates())
}

// utcInstant matches an instant as the management API writes it in a sentence.
var utcInstant = regexp.MustCompile(`\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z\b`)

// localInstants returns a sentence of the management API with its instants in the zone of the user,
// or in UTC for the format wide.
func localInstants(s *terminal.Streams, f output.Format, sentence string) string {
	return utcInstant.ReplaceAllStringFunc(sentence, func(text string) string {
		t, err := time.Parse(time.RFC3339Nano, text)
		if err != nil {
			return text
		}
		return output.Absolute(s, f, t)
	})
}
