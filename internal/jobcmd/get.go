package jobcmd

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	pb "carillon/internal/managementv1"
	"carillon/internal/output"
	"carillon/internal/terminal"
	"carillon/internal/watch"
)

// getOptions are the arguments and flags of job get.
type getOptions struct {
	jobName

	format string
	watch  watch.Settings
}

func newGet(std *terminal.Streams) *cobra.Command {
	o := &getOptions{jobName: jobName{serverOptions: serverOptions{std: std}, command: "job get"}}
	c := &cobra.Command{
		Use:   "get NAME",
		Short: "show a job",
		Long: `Shows what is known of a job: what was requested, its state with the reasons, and when it is due next. The payload is not
shown. NAME is the name of a job of --app, or of a reminder of --actor-type and --actor, or a full name: app/APP/NAME or
actor/TYPE/ID/NAME as in Dapr's command line, or one from 'carillon job list --output name'.`,
		Example: `  carillon job get backup --app billing
  carillon job get app/billing/backup --output yaml
  carillon job get reminder-7 --actor-type Cart --actor 42`,
		RunE: func(c *cobra.Command, args []string) error {
			o.name = args[0]
			return runGet(c.Context(), o)
		},
	}
	o.addTo(c)
	output.AddOneFlag(c, &o.format)
	o.watch.Add(c.Flags())
	return c
}

// runGet prints the job.
func runGet(ctx context.Context, o *getOptions) error {
	if err := o.watch.Check(); err != nil {
		return err
	}
	id, err := o.id()
	if err != nil {
		return err
	}
	return o.ask(ctx, func(ctx context.Context, client pb.ManagementClient) error {
		return o.watch.Show(ctx, o.std, output.Separator(o.format), func(ctx context.Context, std *terminal.Streams) error {
			j, err := client.GetJob(ctx, &pb.GetJobRequest{Name: id.resource()})
			if err != nil {
				return errorOf(id, err)
			}
			return output.PrintOne(std, o.format, j, jobLines(std, id, j))
		})
	})
}

// jobLines returns what a person reads about a job.
func jobLines(std *terminal.Streams, id jobID, j *pb.Job) []output.Detail {
	all := []output.Detail{
		{Label: "Name", Value: id.name},
		{Label: "Namespace", Value: id.namespace},
		{Label: "App", Value: j.GetAppId()},
		{Label: "Actor type", Value: id.actorType},
		{Label: "Actor", Value: id.actor},
		{Label: "State", Value: wordOf(j.GetState())},
	}
	for _, c := range j.GetConditions() {
		all = append(all, output.Detail{Label: "Condition", Value: conditionText(std, c)})
	}
	spec := cmp.Or(j.GetSpec(), &pb.JobSpec{})
	all = append(
		all,
		output.Detail{Label: "Description", Value: j.GetDescription()},
		output.Detail{Label: "Labels", Value: strings.Join(labelsOf(j), ", ")},
		output.Detail{Label: "Next due", Value: timeOf(j.GetDueTime())},
	)
	if !timeOf(j.GetOccurrenceTime()).Equal(timeOf(j.GetDueTime())) {
		all = append(all, output.Detail{Label: "Occurrence of", Value: timeOf(j.GetOccurrenceTime())})
	}
	all = append(
		all,
		output.Detail{Label: "Last", Value: timeOf(j.GetLastOccurrenceTime())},
		output.Detail{Label: "Occurrences", Value: occurrencesText(j)},
		output.Detail{Label: "Expires", Value: timeOf(j.GetExpireTime())},
		output.Detail{Label: "Schedule", Value: spec.GetSchedule()},
		output.Detail{Label: "In words", Value: j.GetWords()},
		output.Detail{Label: "Due time", Value: spec.GetDueTime()},
		output.Detail{Label: "TTL", Value: spec.GetTtl()},
		output.Detail{Label: "On failure", Value: failureText(spec.GetFailurePolicy())},
		output.Detail{Label: "Concurrency key", Value: spec.GetConcurrencyKey()},
	)
	if spec.PayloadBytes != nil {
		all = append(all, output.Detail{Label: "Payload", Value: fmt.Sprintf("%d bytes", spec.GetPayloadBytes())})
	}
	return append(all, output.Detail{Label: "Partition", Value: j.GetPartition()})
}

// conditionText returns what is true of a job now, why and since when.
func conditionText(s *terminal.Streams, c *pb.JobCondition) string {
	since := ""
	if t := timeOf(c.GetSinceTime()); !t.IsZero() {
		since = " since " + output.Time(s, t)
	}
	return fmt.Sprintf("%s%s: %s (%s)", wordOf(c.GetType()), since, c.GetMessage(), c.GetReason())
}

// occurrencesText returns how many occurrences are over and left, and what has failed of the present one.
func occurrencesText(j *pb.Job) string {
	text := fmt.Sprintf("%d over", j.GetSettledCount())
	if left := leftOf(j); left != "" {
		text += ", " + left + " left"
	}
	if n := j.GetFailedAttempts(); n > 0 {
		text += fmt.Sprintf("; failed attempts at the present one: %d", n)
	}
	return text
}

// failureText returns what follows a failed attempt.
func failureText(p *pb.FailurePolicy) string {
	switch {
	case p == nil:
		return ""
	case p.GetDrop():
		return "give up"
	}
	text := "retry at once"
	if d := p.GetInterval().AsDuration(); d > 0 {
		text = fmt.Sprintf("retry every %v", d)
	}
	if p.MaxRetries != nil {
		text += fmt.Sprintf(", at most %d times", p.GetMaxRetries())
	}
	return text
}
