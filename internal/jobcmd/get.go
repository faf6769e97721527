package jobcmd

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"carillon/internal/command"
	"carillon/internal/exit"
	pb "carillon/internal/managementv1"
	"carillon/internal/output"
	"carillon/internal/terminal"
)

// getOptions are the arguments and flags of job get.
type getOptions struct {
	serverOptions

	name                  string
	app, actorType, actor string
	format                string
}

func newGet(std *terminal.Streams) *cobra.Command {
	o := &getOptions{serverOptions: serverOptions{std: std}}
	c := &cobra.Command{
		Use:   "get NAME",
		Short: "show a job",
		Long: `Shows what is known of a job: what was requested, its state with the reasons, and when it is due next. The payload is not
shown. NAME is the name of a job of --app, or of a reminder of --actor-type and --actor, or a full name: app/APP/NAME or
actor/TYPE/ID/NAME as in Dapr's command line, or one from 'carillon job list --output name'.`,
		Example: `  carillon job get backup --app billing
  carillon job get app/billing/backup --output yaml
  carillon job get reminder-7 --actor-type Cart --actor 42`,
		Args:              command.Args("the NAME of a job"),
		ValidArgsFunction: o.complete(o.findNames),
		RunE: func(c *cobra.Command, args []string) error {
			o.name = args[0]
			return runGet(c.Context(), o)
		},
	}
	o.addFlags(c)
	o.addApp(c, &o.app, "`app` of the job")
	c.Flags().StringVar(&o.actorType, "actor-type", "", "`type` of the actor of a reminder")
	c.Flags().StringVar(&o.actor, "actor", "", "`ID` of the actor of a reminder")
	output.AddOneFlag(c, &o.format)
	return c
}

// runGet prints the job.
func runGet(ctx context.Context, o *getOptions) error {
	id, err := o.id()
	if err != nil {
		return err
	}
	return o.ask(ctx, func(ctx context.Context, client pb.ManagementClient) error {
		j, err := client.GetJob(ctx, &pb.GetJobRequest{Name: id.resource()})
		switch {
		case status.Code(err) == codes.NotFound:
			return notFound(id)
		case err != nil:
			return inFlags(err)
		}
		return output.PrintOne(o.std, o.format, j, o.lines(id, j))
	})
}

// id returns the ID of the job that name and flags name.
func (o *getOptions) id() (jobID, error) {
	given := jobID{namespace: o.namespace, app: o.app, actorType: o.actorType, actor: o.actor, name: o.name}
	id := given
	if strings.Contains(o.name, "/") {
		var ok bool
		if id, ok = parseResource(o.name); !ok {
			id, ok = parseStockName(o.name)
		}
		if !ok {
			return jobID{}, exit.Usagef("job get: %q is no name of a job: give app/APP/NAME or actor/TYPE/ID/NAME, or only NAME with --app", o.name)
		}
	}
	for _, part := range []struct {
		flag, given string
		part        *string
	}{
		{"--namespace", given.namespace, &id.namespace},
		{"--app", given.app, &id.app},
		{"--actor-type", given.actorType, &id.actorType},
		{"--actor", given.actor, &id.actor},
	} {
		if part.given != "" && *part.part != part.given && (*part.part != "" || part.flag != "--namespace") {
			return jobID{}, exit.Usagef("job get: %s %s contradicts the name %s: remove one", part.flag, part.given, o.name)
		}
		*part.part = cmp.Or(*part.part, part.given)
	}
	id.namespace = cmp.Or(id.namespace, defaultNamespace)
	switch {
	case id.app != "" && (id.actorType != "" || id.actor != ""):
		return jobID{}, exit.Usagef("job get: --app names a job, and --actor-type and --actor a reminder: give one of both")
	case !id.complete():
		return jobID{}, exit.Usagef("job get: whose %s is it? Give --app, or --actor-type and --actor for a reminder; carillon job list shows all jobs", o.name)
	}
	return id, checkParts("--namespace", id.namespace, "--app", id.app, "--actor-type", id.actorType, "--actor", id.actor)
}

// notFound returns the error for a job that does not exist.
func notFound(id jobID) error {
	where, flags := "", ""
	if id.namespace != defaultNamespace {
		where, flags = fmt.Sprintf(" of namespace %q", id.namespace), " --namespace "+id.namespace
	}
	if id.app != "" {
		return fmt.Errorf("job %q not found in app %q%s; see: carillon job list --app %s%s", id.name, id.app, where, id.app, flags)
	}
	return fmt.Errorf("reminder %q not found on actor %q of type %q%s; see: carillon job list --kind reminder --actor-type %s --actor %s%s",
		id.name, id.actor, id.actorType, where, id.actorType, id.actor, flags)
}

// lines returns what a person reads about a job.
func (o *getOptions) lines(id jobID, j *pb.Job) []output.Detail {
	all := []output.Detail{
		{Label: "Name", Value: id.name},
		{Label: "Namespace", Value: id.namespace},
		{Label: "App", Value: j.GetAppId()},
		{Label: "Actor type", Value: id.actorType},
		{Label: "Actor", Value: id.actor},
		{Label: "State", Value: wordOf(j.GetState())},
	}
	for _, c := range j.GetConditions() {
		all = append(all, output.Detail{Label: "Condition", Value: conditionText(o.std, c)})
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

// findNames returns the first names of jobs: of the app, or full names of all apps.
func (o *getOptions) findNames(ctx context.Context, client pb.ManagementClient, begin string) (names []string, err error) {
	app, prefix := o.app, begin
	if id, ok := parseStockName(begin); ok && id.app != "" {
		app, prefix = id.app, id.name
	} else if app == "" {
		prefix = ""
	}
	const most = 100
	page, err := client.ListJobs(ctx, &pb.ListJobsRequest{
		Parent: parentOfJobs(o.namespaceOrDefault(), app), Filter: beginsWith("name", prefix), PageSize: most,
	})
	for _, j := range page.GetJobs() {
		id, _ := parseResource(j.GetName())
		name := id.name
		if o.app == "" {
			name = id.stockName()
		}
		if strings.HasPrefix(name, begin) {
			names = append(names, name)
		}
	}
	return names, err
}
