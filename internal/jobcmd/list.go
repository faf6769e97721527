package jobcmd

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"carillon/internal/command"
	"carillon/internal/exit"
	"carillon/internal/flagvalue"
	pb "carillon/internal/managementv1"
	"carillon/internal/output"
	"carillon/internal/terminal"
	"carillon/internal/watch"
)

// Limits of a list without --limit.
const (
	limitOnTerminal = 50
	limitElsewhere  = 10_000
	maxLimit        = 100_000 // the list is in memory
)

// Values of the flag --order-by.
const (
	orderByName = "name"
	orderByDue  = "due"
)

// listOptions are the flags of job list.
type listOptions struct {
	selection

	orderBy string
	limit   int // 0 if it was not given
	format  output.Format
	watch   watch.Settings
}

func newList(std *terminal.Streams) *cobra.Command {
	o := &listOptions{selection: selection{serverOptions: serverOptions{std: std}}}
	c := &cobra.Command{
		Use:   "list",
		Short: "list jobs",
		Long: `Lists jobs by name or by when they are due next, with the state of each. Flags that select jobs are joined: all have to
match. On a terminal times are relative, and the list ends after 50 jobs. In a pipe it has no header, columns are separated by
tabs, and it ends after 10000 jobs. Standard error says when there may be more.`,
		Example: `  carillon job list
  carillon job list --app billing --state overdue
  carillon job list --order-by due
  carillon job list --all-namespaces --prefix invoice- --output json
  carillon job list --label team=billing --output wide
  carillon job list --kind reminder --actor-type Cart --output wide
  carillon job list --state overdue --watch`,
		Args: command.Args(),
		RunE: func(c *cobra.Command, _ []string) error { return runList(c.Context(), o) },
	}
	o.addFlags(c)
	orders := []string{orderByName, orderByDue}
	c.Flags().Var(flagvalue.NewChoice(&o.orderBy, orders...), "order-by", "`order` of the jobs: name, or due (the next due time, the earliest first)")
	completeFlag(c, "order-by", cobra.FixedCompletions(orders, cobra.ShellCompDirectiveNoFileComp))
	c.Flags().IntVar(&o.limit, "limit", 0, fmt.Sprintf("the most `jobs` to list (default: %d on a terminal, %d elsewhere)", limitOnTerminal, limitElsewhere))
	output.AddFlag(c, &o.format)
	o.watch.Add(c.Flags())
	return c
}

// runList prints the jobs.
func runList(ctx context.Context, o *listOptions) error {
	switch {
	case o.limit < 0 || o.limit > maxLimit:
		return exit.Usagef("--limit %d: it must be between 1 and %d", o.limit, maxLimit)
	case o.limit == 0 && o.std.Terminal:
		o.limit = limitOnTerminal
	case o.limit == 0:
		o.limit = limitElsewhere
	}
	if err := o.check(); err != nil {
		return err
	}
	if err := o.watch.Check(); err != nil {
		return err
	}
	return o.ask(ctx, func(ctx context.Context, client pb.ManagementClient) error {
		return o.watch.Show(ctx, o.std, output.Separator(string(o.format)), func(ctx context.Context, std *terminal.Streams) error {
			found, err := o.fetch(ctx, client)
			if err != nil {
				return inFlags(err)
			}
			return o.print(std, found)
		})
	})
}

// print writes the jobs, and says on standard error if they may not be all.
func (o *listOptions) print(std *terminal.Streams, found foundJobs) error {
	list := output.List[*pb.Job]{
		Columns: o.columns(),
		Name:    (*pb.Job).GetName,
		None:    "no jobs match; carillon job list --all-namespaces --kind any lists all",
	}
	if err := list.Print(std, o.format, found.jobs); err != nil {
		return err
	}
	if found.more {
		if _, err := fmt.Fprintf(std.Err, "The list ends at the limit of %d; there may be more jobs. Select fewer, or raise --limit.\n", o.limit); err != nil {
			return err
		}
	}
	return warnUnreachable(std, found.unreachable)
}

// foundJobs are the jobs that a list shows.
type foundJobs struct {
	jobs        []*pb.Job
	more        bool     // there may be more
	unreachable []string // nodes that did not answer
}

// fetch gets the jobs page by page, up to the limit.
func (o *listOptions) fetch(ctx context.Context, client pb.ManagementClient) (foundJobs, error) {
	var found foundJobs
	request := &pb.ListJobsRequest{Parent: o.parent(), Filter: o.terms()}
	if o.orderBy == orderByDue {
		request.OrderBy = "due_time"
	}
	for {
		request.PageSize = int32(min(o.limit-len(found.jobs), pageSize))
		page, err := client.ListJobs(ctx, request)
		if err != nil {
			return foundJobs{}, err
		}
		found.jobs = append(found.jobs, page.GetJobs()...)
		for _, node := range page.GetUnreachable() {
			if !slices.Contains(found.unreachable, node) {
				found.unreachable = append(found.unreachable, node)
			}
		}
		if request.PageToken = page.GetNextPageToken(); request.GetPageToken() == "" || len(found.jobs) >= o.limit {
			found.more = request.GetPageToken() != ""
			return found, nil
		}
	}
}

// columns returns the columns that suit the selection.
func (o *listOptions) columns() []output.Column[*pb.Job] {
	idOf := func(j *pb.Job) jobID { id, _ := parseResource(j.GetName()); return id }
	actorOf := func(j *pb.Job) any {
		if id := idOf(j); id.app == "" {
			return id.target()
		}
		return ""
	}
	return []output.Column[*pb.Job]{
		{Header: "NAMESPACE", Value: func(j *pb.Job) any { return idOf(j).namespace }, Wide: !o.allNamespaces},
		{Header: "NAME", Value: func(j *pb.Job) any { return idOf(j).name }},
		{Header: "APP", Value: func(j *pb.Job) any { return j.GetAppId() }, Wide: o.kind == kindReminder},
		{Header: "ACTOR", Value: actorOf, Wide: o.kind == kindJob},
		{Header: "STATE", Value: func(j *pb.Job) any { return wordOf(j.GetState()) }},
		{Header: "NEXT", Value: func(j *pb.Job) any { return timeOf(j.GetDueTime()) }},
		{Header: "LAST", Value: func(j *pb.Job) any { return timeOf(j.GetLastOccurrenceTime()) }},
		{Header: "REASON", Value: func(j *pb.Job) any { return reasonsOf(j) }, Wide: true},
		{Header: "SETTLED", Value: func(j *pb.Job) any { return j.GetSettledCount() }, Wide: true},
		{Header: "LEFT", Value: func(j *pb.Job) any { return leftOf(j) }, Wide: true},
		{Header: "FAILED ATTEMPTS", Value: func(j *pb.Job) any { return j.GetFailedAttempts() }, Wide: true},
		{Header: "EXPIRES", Value: func(j *pb.Job) any { return timeOf(j.GetExpireTime()) }, Wide: true},
		{Header: "LABELS", Value: func(j *pb.Job) any { return labelsOf(j) }, Wide: true},
		{Header: "IN WORDS", Value: func(j *pb.Job) any { return j.GetWords() }, Wide: true},
		{Header: "SCHEDULE", Value: func(j *pb.Job) any { return scheduleOf(j) }}, // last: a terminal cuts it
	}
}

// reasonsOf returns the reason of each condition.
func reasonsOf(j *pb.Job) (reasons []string) {
	for _, c := range j.GetConditions() {
		reasons = append(reasons, c.GetReason())
	}
	return reasons
}

// scheduleOf returns the schedule as it was requested, or that there is none.
func scheduleOf(j *pb.Job) string {
	return cmp.Or(j.GetSpec().GetSchedule(), "once")
}
