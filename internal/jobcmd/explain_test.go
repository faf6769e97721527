package jobcmd

import (
	"context"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"carillon/internal/exit"
	pb "carillon/internal/managementv1"
	"carillon/internal/terminal"
)

// explainServer explains jobs and schedules.
type explainServer struct {
	fakeServer

	requests []proto.Message
}

// note keeps a request.
func (f *explainServer) note(r proto.Message) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.requests = append(f.requests, r)
}

// asked returns all requests.
func (f *explainServer) asked() []proto.Message {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.requests
}

func noon() *timestamppb.Timestamp {
	return timestamppb.New(time.Date(2027, 3, 28, 12, 0, 0, 0, time.UTC))
}

func (f *explainServer) ExplainJob(_ context.Context, r *pb.ExplainJobRequest) (*pb.JobExplanation, error) {
	f.note(r)
	return &pb.JobExplanation{
		Reason: "NotDue", Message: "it waits for its next due time; the next attempt is due at 2027-03-28T12:00:00.5Z",
		Gates: []*pb.Gate{
			{Type: pb.Gate_DUE, Status: pb.Gate_CLOSED, Message: "the next attempt is due at 2027-03-28T12:00:00.5Z"},
			{Type: pb.Gate_STORE_COMMITS, Status: pb.Gate_OPEN, Message: "the store commits", SinceTime: noon()},
		},
		Unreachable: f.unreachable,
	}, f.err
}

func (f *explainServer) explanation() *pb.ScheduleExplanation {
	return &pb.ScheduleExplanation{
		Words: "every day at 14:00, Europe/Berlin",
		Occurrences: []*pb.Occurrence{
			{OccurrenceTime: timestamppb.New(noon().AsTime().Add(-23 * time.Hour)), LocalTime: "2027-03-27T14:00:00+01:00"},
			{OccurrenceTime: noon(), LocalTime: "2027-03-28T14:00:00+02:00", Notes: []*pb.ClockNote{
				{Code: "clock-changed", Message: "the clock goes forward"}, {Code: "skipped", Message: "one is skipped"},
			}},
		},
		Warnings: []*pb.ScheduleWarning{{Code: "clock-skips", Message: "some are skipped"}},
	}
}

func (f *explainServer) ListUpcomingOccurrences(_ context.Context, r *pb.ListUpcomingOccurrencesRequest) (*pb.ScheduleExplanation, error) {
	f.note(r)
	return f.explanation(), f.err
}

func (f *explainServer) ExplainSchedule(_ context.Context, r *pb.ExplainScheduleRequest) (*pb.ScheduleExplanation, error) {
	f.note(r)
	return f.explanation(), f.err
}

// inBerlin is where the user of these tests is, an hour before noon in UTC.
func inBerlin(s *terminal.Streams) {
	s.Zone = time.FixedZone("CEST", 2*60*60)
	s.Now = func() time.Time { return noon().AsTime().Add(-time.Hour) }
}

func TestWhySaysTheSentenceFirst(t *testing.T) {
	onTerminal := func(s *terminal.Streams) { inBerlin(s); s.Terminal = true }
	for _, c := range []struct {
		args   string
		change func(*terminal.Streams)
		want   string
	}{
		{"", inBerlin, "it waits for its next due time; the next attempt is due at 2027-03-28T14:00:00+02:00 (NotDue)\n\n" +
			"due\tclosed\t\tthe next attempt is due at 2027-03-28T14:00:00+02:00\nstore-commits\topen\t2027-03-28T14:00:00+02:00\tthe store commits\n"},
		{"", onTerminal, "it waits for its next due time; the next attempt is due at 2027-03-28T14:00:00+02:00 (NotDue)\n\n" +
			"GATE           STATUS  SINCE   VALUE\n" +
			"due            closed  -       the next attempt is due at 2027-03-28T14:00:00+02:00\n" +
			"store-commits  open    in 60m  the store commits\n"},
		{"-o wide", inBerlin, "it waits for its next due time; the next attempt is due at 2027-03-28T12:00:00Z (NotDue)\n\n" +
			"due\tclosed\t\tthe next attempt is due at 2027-03-28T12:00:00Z\nstore-commits\topen\t2027-03-28T12:00:00Z\tthe store commits\n"},
	} {
		code, out, errs := run(t, new(explainServer), c.change, strings.Fields("job why j --app a "+c.args)...)
		if code != 0 || out != c.want || errs != "" {
			t.Errorf("job why %s: %d, %q\n%s\nwant:\n%s", c.args, code, errs, out, c.want)
		}
	}
	f := &explainServer{fakeServer: fakeServer{unreachable: []string{"nodes/b"}}}
	code, out, errs := run(t, f, nil, strings.Fields("job why app/a/j -o json")...)
	if code != 0 || !strings.Contains(out, `"sinceTime": "2027-03-28T12:00:00Z"`) || !strings.Contains(errs, "no answer from the node nodes/b") {
		t.Errorf("job why -o json: %d, %s, %s", code, out, errs)
	}
}

func TestScheduleIsShownInEachFormat(t *testing.T) {
	const pipe = "every day at 14:00, Europe/Berlin\n\n" +
		"2027-03-27T15:00:00+02:00\t2027-03-27T14:00:00+01:00\t\n2027-03-28T14:00:00+02:00\t2027-03-28T14:00:00+02:00\tclock-changed,skipped\n\n" +
		"2027-03-28T14:00:00+02:00: the clock goes forward; one is skipped\nwarning: some are skipped (clock-skips)\n"
	const csv = "OCCURRENCE,LOCAL TIME,CLOCK,NOTE\n2027-03-27T13:00:00Z,2027-03-27T14:00:00+01:00,,\n" +
		"2027-03-28T12:00:00Z,2027-03-28T14:00:00+02:00,\"clock-changed,skipped\",the clock goes forward; one is skipped\n"
	for _, command := range []string{"job upcoming j --app a", "schedule explain @daily"} {
		for format, want := range map[string]string{"table": pipe, "csv": csv} {
			if code, out, errs := run(t, new(explainServer), inBerlin, strings.Fields(command+" -o "+format)...); code != 0 || out != want || errs != "" {
				t.Errorf("%s -o %s: %d, %q\n%s\nwant:\n%s", command, format, code, errs, out, want)
			}
		}
		for format, want := range map[string]string{"json": `"localTime": "2027-03-28T14:00:00+02:00"`, "yaml": "- code: clock-skips", "wide": "2027-03-28T12:00:00Z\t"} {
			if code, out, errs := run(t, new(explainServer), inBerlin, strings.Fields(command+" -o "+format)...); code != 0 || !strings.Contains(out, want) || errs != "" {
				t.Errorf("%s -o %s: %d, %q\n%s", command, format, code, errs, out)
			}
		}
		_, out, _ := run(t, new(explainServer), func(s *terminal.Streams) { inBerlin(s); s.Terminal = true }, strings.Fields(command)...)
		if want := "OCCURRENCE                 FROM NOW  LOCAL TIME                 CLOCK\n2027-03-27T15:00:00+02:00  22h ago"; !strings.Contains(out, want) {
			t.Errorf("%s on a terminal:\n%s", command, out)
		}
	}
}

func TestArgumentsBecomeTheRequest(t *testing.T) {
	const job = "namespaces/default/apps/a/jobs/j"
	for _, c := range []struct {
		args []string
		want proto.Message
	}{
		{[]string{"job", "why", "app/a/j"}, &pb.ExplainJobRequest{Name: job}},
		{[]string{"job", "upcoming", "j", "--app", "a"}, &pb.ListUpcomingOccurrencesRequest{Name: job, Count: 10}},
		{[]string{"job", "upcoming", "j", "--app", "a", "-c", "1000"}, &pb.ListUpcomingOccurrencesRequest{Name: job, Count: 1000}},
		{[]string{"schedule", "explain", "@every 1h"}, &pb.ExplainScheduleRequest{Schedule: new("@every 1h"), Count: 10}},
		{[]string{"schedule", "explain", "--due", "5s"}, &pb.ExplainScheduleRequest{DueTime: new("5s"), Count: 10}},
		{
			[]string{"schedule", "explain", "@daily", "--due", "1h", "--repeats", "0", "--ttl", "", "--count", "3"},
			&pb.ExplainScheduleRequest{Schedule: new("@daily"), DueTime: new("1h"), Repeats: new(uint32(0)), Ttl: new(""), Count: 3},
		},
	} {
		f := new(explainServer)
		if code, _, errs := run(t, f, nil, c.args...); code != 0 || len(f.asked()) != 1 || !proto.Equal(f.asked()[0], c.want) {
			t.Errorf("%q: %d, %q, asks %v, want %v", c.args, code, errs, f.asked(), c.want)
		}
	}
}

func TestWrongScheduleIsAWrongCommandLine(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"job", "upcoming", "j", "--app", "a", "--count", "0"}, "--count 0: it must be between 1 and 1000"},
		{[]string{"job", "why", "j"}, "job why: whose j is it?"},
		{[]string{"job", "upcoming", "a/j"}, `job upcoming: "a/j" is no name of a job`},
		{[]string{"schedule", "explain"}, "give a SCHEDULE, such as @daily, or --due"},
		{[]string{"schedule", "explain", "@every", "5m"}, `unexpected argument "5m": put SCHEDULE in quotes, as in '@every 5m'`},
		{[]string{"schedule", "explain", "@daily", "--count", "1001"}, "--count 1001: it must be"},
		{[]string{"schedule", "explain", "@daily", "--repeats", "x"}, `invalid value "x" for flag --repeats: it must be a whole number`},
		{[]string{"schedule", "explain", "@daily", "-o", "name"}, "it must be table or wide or"},
	} {
		f := new(explainServer)
		if code, out, errs := run(t, f, nil, c.args...); code != exit.Usage || out != "" || !strings.Contains(errs, c.want) || len(f.asked()) > 0 {
			t.Errorf("%q: %d, %q, %q, asks %v", c.args, code, out, errs, f.asked())
		}
	}
	for field, want := range map[string]string{"schedule": "SCHEDULE: no", "dueTime": "--due: no", "ttl": "--ttl: no", "repeats": "--repeats: no", "other": "other: no"} {
		f := &explainServer{fakeServer: fakeServer{err: status.Error(codes.InvalidArgument, field+": no")}}
		if code, _, errs := run(t, f, nil, "schedule", "explain", "@daily"); code != exit.Usage || errs != want {
			t.Errorf("%s: %d, %q, want %q", field, code, errs, want)
		}
	}
	f := &explainServer{fakeServer: fakeServer{err: status.Error(codes.NotFound, "no job")}}
	for _, verb := range []string{"why", "upcoming"} {
		if code, _, errs := run(t, f, nil, "job", verb, "j", "--app", "a"); code != exit.Failed || !strings.HasPrefix(errs, `job "j" not found in app "a"`) {
			t.Errorf("job %s: %d, %q", verb, code, errs)
		}
	}
}

func TestNameOfAJobIsCompleted(t *testing.T) {
	for _, verb := range []string{"get", "why", "upcoming"} {
		_, out, _ := run(t, &fakeServer{jobs: 2, perPage: 10}, nil, "__complete", "job", verb, "--app", "billing", "j")
		if !strings.HasPrefix(out, "j0\nj1\n") {
			t.Errorf("job %s: %q", verb, out)
		}
	}
}
