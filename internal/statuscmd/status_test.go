package statuscmd

import (
	"context"
	"encoding/json"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"carillon/internal/command"
	"carillon/internal/exit"
	pb "carillon/internal/managementv1"
	"carillon/internal/terminal"
	"carillon/internal/terminal/terminaltest"
)

// fakeServer is a management API with one answer.
type fakeServer struct {
	pb.UnimplementedManagementServer

	attention *pb.Attention
	forecast  *pb.Forecast
	err       error // of each call
	parents   []string
}

func (f *fakeServer) GetAttention(_ context.Context, r *pb.GetAttentionRequest) (*pb.Attention, error) {
	f.parents = append(f.parents, r.GetParent())
	return f.attention, f.err
}

func (f *fakeServer) GetForecast(_ context.Context, r *pb.GetForecastRequest) (*pb.Forecast, error) {
	f.parents = append(f.parents, r.GetParent())
	return f.forecast, f.err
}

var begin = time.Date(2030, 1, 1, 9, 0, 0, 0, time.UTC)

// well is a server of which nothing needs a person.
func well() *fakeServer {
	return &fakeServer{
		attention: &pb.Attention{Exact: true},
		forecast: &pb.Forecast{
			Exact: true, Steps: []*pb.ForecastStep{
				{StartTime: timestamppb.New(begin), Count: 3, Exact: true},
				{StartTime: timestamppb.New(begin.Add(time.Minute)), Count: 9, Exact: true},
			},
			Apps:   []*pb.AppForecast{{App: "namespaces/default/apps/billing", Count: 10}, {App: "namespaces/shop/apps/mail", Count: 1}},
			Others: &pb.AppForecast{AppCount: 1, Count: 1},
		},
	}
}

// ill is a server with a problem of each kind.
func ill() *fakeServer {
	f := well()
	f.forecast.Exact = false
	f.attention = &pb.Attention{
		Jobs: []*pb.JobProblem{
			{App: "namespaces/default/apps/billing", Reason: "NoSidecarConnected", State: pb.Job_OVERDUE, Count: 12, Message: "start the app", OldestTime: timestamppb.New(begin), ExampleJob: "namespaces/default/apps/billing/jobs/invoice"},
			{App: "namespaces/shop/apps/mail", Reason: "AttemptFailed", State: pb.Job_RETRYING, Count: 2, Exact: true, Message: "the app fails"},
		},
		Nodes: []*pb.NodeProblem{{Node: "b", Reason: "NoAnswer", Message: "look whether it runs"}}, Unreachable: []string{"b"},
	}
	return f
}

// run runs carillon with a server that f answers for.
func run(t *testing.T, f *fakeServer, change func(*terminal.Streams), args ...string) (code int, out, errs string) {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer()
	pb.RegisterManagementServer(s, f)
	go func() { _ = s.Serve(l) }()
	t.Cleanup(s.Stop)
	std, o, e := terminaltest.Streams()
	std.Now = func() time.Time { return begin.Add(10 * time.Second) }
	std.Env = func(name string) (string, bool) { return "http://" + l.Addr().String(), name == "CARILLON_SERVER" }
	if change != nil {
		change(std)
	}
	root := &cobra.Command{Use: "carillon"}
	root.AddCommand(NewStatus(std))
	command.Root(root, "", std)
	code, line := exit.Of(command.Run(t.Context(), root, args))
	return code, o.String(), e.String() + line
}

func TestStatusShowsWhatNeedsAPerson(t *testing.T) {
	onTerminal := func(s *terminal.Streams) { s.Terminal = true }
	code, out, errs := run(t, ill(), onTerminal, "status")
	const want = `Due in an hour: 12+, most at 2030-01-01T09:01:00Z (in 50s): 9
By app:         billing 10, shop/mail 1, 1 others 1
Overdue:        12+
Retrying:       2+
No answer:      b

Needs attention:
NODE  REASON    WHAT TO DO
b     NoAnswer  look whether it runs
APP        REASON              JOBS  OLDEST   EXAMPLE  WHAT TO DO
billing    NoSidecarConnected  12+   10s ago  invoice  start the app
shop/mail  AttemptFailed       2     -        -        the app fails
`
	if code != exit.Failed || out != want || errs != "" {
		t.Errorf("%d, %q:\n%s", code, errs, out)
	}
	code, out, errs = run(t, well(), onTerminal, "status")
	if code != exit.OK || !strings.HasSuffix(out, "\nNothing needs attention.\n") || !strings.Contains(out, "Overdue:        0\n") || errs != "" {
		t.Errorf("%d, %q:\n%s", code, errs, out)
	}
}

func TestStatusIsAnObjectForPrograms(t *testing.T) {
	code, out, errs := run(t, ill(), nil, "status", "--output", "json")
	var object struct {
		NeedsAttention bool
		Attention      struct{ Jobs []struct{ Reason string } }
		Forecast       struct{ Steps []struct{ Count int } }
	}
	if err := json.Unmarshal([]byte(out), &object); err != nil || code != exit.Failed || errs != "" {
		t.Fatalf("%d, %q, %v:\n%s", code, errs, err, out)
	}
	if !object.NeedsAttention || len(object.Attention.Jobs) != 2 || object.Forecast.Steps[1].Count != 9 {
		t.Errorf("%+v", object)
	}
	if code, out, _ := run(t, well(), nil, "status", "-o", "yaml"); code != exit.OK || !strings.Contains(out, "needsAttention: false\n") {
		t.Errorf("%d:\n%s", code, out)
	}
}

func TestStatusFlagsSelectJobs(t *testing.T) {
	for args, want := range map[string]string{
		"":                 " namespaces/-",
		"-n shop":          "namespaces/shop namespaces/shop",
		"--app mail":       "namespaces/-/apps/mail namespaces/-/apps/mail",
		"-n s --app mail":  "namespaces/s/apps/mail namespaces/s/apps/mail",
		"--namespace=shop": "namespaces/shop namespaces/shop",
	} {
		f := well()
		if code, _, errs := run(t, f, nil, append([]string{"status"}, strings.Fields(args)...)...); code != exit.OK || strings.Join(f.parents, " ") != want {
			t.Errorf("%s: %d, %s, asks %q", args, code, errs, f.parents)
		}
	}
}

func TestStatusOfNoServerIsAnError(t *testing.T) {
	f := &fakeServer{err: status.Error(codes.PermissionDenied, "out of scope")}
	if code, out, errs := run(t, f, nil, "status"); code != exit.Failed || out != "" || !strings.Contains(errs, "out of scope") {
		t.Errorf("%d, %q, %q", code, out, errs)
	}
	if code, _, errs := run(t, well(), nil, "status", "--app", "a/b"); code != exit.Usage || !strings.Contains(errs, "--app a/b") {
		t.Errorf("%d, %q, want a usage error", code, errs)
	}
}
