package statuscmd

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	pb "carillon/internal/managementv1"
	"carillon/internal/output"
	"carillon/internal/terminal"
)

// print writes the overview for a person.
func (v *overview) print(s *terminal.Streams) error {
	if err := output.PrintOne(s, output.Text, nil, v.totals(s)); err != nil {
		return err
	}
	if !v.needsPerson() {
		text := "Nothing needs attention."
		if !v.attention.GetExact() {
			text = "Nothing that was looked at needs attention; there are more jobs than one look takes: give --namespace or --app."
		}
		_, err := fmt.Fprintln(s.Out, "\n"+text)
		return err
	}
	if _, err := fmt.Fprintln(s.Out, "\nNeeds attention:"); err != nil {
		return err
	}
	if nodes := v.attention.GetNodes(); len(nodes) > 0 {
		if err := nodeList().Print(s, output.Table, nodes); err != nil {
			return err
		}
	}
	if jobs := v.attention.GetJobs(); len(jobs) > 0 {
		return jobList().Print(s, output.Table, jobs)
	}
	return nil
}

// totals returns the lines with numbers.
func (v *overview) totals(s *terminal.Streams) []output.Detail {
	due := floor(v.due())
	if b := v.busiest(); b != nil {
		due += fmt.Sprintf(", most at %s: %s", output.Time(s, b.GetStartTime().AsTime()), floor(uint64(b.GetCount()), b.GetExact()))
	}
	apps := make([]string, 0, shownApps)
	for _, a := range v.forecast.GetApps() {
		apps = append(apps, fmt.Sprintf("%s %d", appOf(a.GetApp()), a.GetCount()))
	}
	if n := v.forecast.GetOthers().GetAppCount(); n > 0 {
		apps = append(apps, fmt.Sprintf("%d others %d", n, v.forecast.GetOthers().GetCount()))
	}
	return []output.Detail{
		{Label: "Due in an hour", Value: due},
		{Label: "By app", Value: strings.Join(apps, ", ")},
		{Label: "Overdue", Value: floor(v.jobs(pb.Job_OVERDUE))},
		{Label: "Retrying", Value: floor(v.jobs(pb.Job_RETRYING))},
		{Label: "No answer", Value: strings.Join(v.attention.GetUnreachable(), ", ")},
	}
}

// floor returns a count, with a plus sign if there may be more.
func floor(count uint64, exact bool) string {
	text := strconv.FormatUint(count, 10)
	if !exact {
		text += "+"
	}
	return text
}

// appOf returns the app of a resource; with its namespace unless that is the default.
func appOf(name string) string {
	parts := strings.Split(name, "/")
	if len(parts) != 4 {
		return name
	}
	if parts[1] == "default" {
		return parts[3]
	}
	return parts[1] + "/" + parts[3]
}

func nodeList() *output.List[*pb.NodeProblem] {
	return &output.List[*pb.NodeProblem]{Columns: []output.Column[*pb.NodeProblem]{
		{Header: "NODE", Value: func(p *pb.NodeProblem) any { return p.GetNode() }},
		{Header: "REASON", Value: func(p *pb.NodeProblem) any { return p.GetReason() }},
		{Header: "WHAT TO DO", Value: func(p *pb.NodeProblem) any { return p.GetMessage() }},
	}}
}

func jobList() *output.List[*pb.JobProblem] {
	return &output.List[*pb.JobProblem]{Columns: []output.Column[*pb.JobProblem]{
		{Header: "APP", Value: func(p *pb.JobProblem) any { return appOf(p.GetApp()) }},
		{Header: "REASON", Value: func(p *pb.JobProblem) any { return p.GetReason() }},
		{Header: "JOBS", Value: func(p *pb.JobProblem) any { return floor(uint64(p.GetCount()), p.GetExact()) }},
		{Header: "OLDEST", Value: func(p *pb.JobProblem) any { return timeOf(p.GetOldestTime()) }},
		{Header: "EXAMPLE", Value: func(p *pb.JobProblem) any { return lastPart(p.GetExampleJob()) }},
		{Header: "WHAT TO DO", Value: func(p *pb.JobProblem) any { return p.GetMessage() }},
	}}
}

// lastPart returns the name of a job or a reminder in the name of its resource.
func lastPart(name string) string { return name[strings.LastIndex(name, "/")+1:] }

// timeOf returns t, or the zero time if it is absent.
func timeOf(t *timestamppb.Timestamp) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.AsTime()
}
