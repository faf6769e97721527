package jobcmd

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"carillon/internal/command"
	"carillon/internal/exit"
	pb "carillon/internal/managementv1"
	"carillon/internal/terminal"
	"carillon/internal/terminal/terminaltest"
)

// fakeServer is a management API with jobs of the app billing. It answers a list with pages of at most perPage.
type fakeServer struct {
	pb.UnimplementedManagementServer

	jobs, perPage int
	unreachable   []string
	err           error // of each call
	hang          bool
	labels        map[string]string // of each job
	description   string

	mu      sync.Mutex
	parents []string // of the requests
	filters []string
	orders  []string // of the lists
}

func (f *fakeServer) note(parent, filter string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.parents, f.filters = append(f.parents, parent), append(f.filters, filter)
}

func (f *fakeServer) GetJob(_ context.Context, r *pb.GetJobRequest) (*pb.Job, error) {
	f.note(r.GetName(), "")
	return &pb.Job{Name: r.GetName(), Labels: f.labels, Description: f.description}, f.err
}

func (f *fakeServer) ListJobs(ctx context.Context, r *pb.ListJobsRequest) (*pb.ListJobsResponse, error) {
	f.note(r.GetParent(), r.GetFilter())
	f.mu.Lock()
	f.orders = append(f.orders, r.GetOrderBy())
	f.mu.Unlock()
	if f.hang {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if f.err != nil {
		return nil, f.err
	}
	next := 0
	_, _ = fmt.Sscan(r.GetPageToken(), &next)
	page := &pb.ListJobsResponse{Unreachable: f.unreachable}
	for range min(f.perPage, int(r.GetPageSize()), f.jobs-next) {
		page.Jobs = append(page.Jobs, &pb.Job{Name: fmt.Sprintf("namespaces/default/apps/billing/jobs/j%d", next), AppId: "billing", Labels: f.labels, Description: f.description})
		next++
	}
	if next < f.jobs {
		page.NextPageToken = fmt.Sprint(next)
	}
	return page, nil
}

func (f *fakeServer) CountJobs(_ context.Context, r *pb.CountJobsRequest) (*pb.CountJobsResponse, error) {
	f.note(r.GetParent(), r.GetFilter())
	return &pb.CountJobsResponse{Count: new(uint32(f.jobs))}, f.err
}

// run runs carillon with a server that f answers for.
func run(t *testing.T, f pb.ManagementServer, change func(*terminal.Streams), args ...string) (code int, out, errs string) {
	t.Helper()
	return runIn(t.Context(), t, f, change, args...)
}

// runIn is run until ctx ends.
func runIn(ctx context.Context, t *testing.T, f pb.ManagementServer, change func(*terminal.Streams), args ...string) (code int, out, errs string) {
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
	std.Env = func(name string) (string, bool) { return "http://" + l.Addr().String(), name == "CARILLON_SERVER" }
	if change != nil {
		change(std)
	}
	code, line := exit.Of(command.Run(ctx, newRoot(std, o), args))
	return code, o.String(), e.String() + line
}

func TestListGetsAllPagesUpToTheLimit(t *testing.T) {
	onTerminal := func(s *terminal.Streams) { s.Terminal = true }
	for _, c := range []struct {
		server *fakeServer
		change func(*terminal.Streams)
		args   string
		want   int
		note   string
	}{
		{&fakeServer{jobs: 1200, perPage: 7}, nil, "", 1200, ""},
		{&fakeServer{jobs: 1200, perPage: 500}, nil, " --limit 1001", 1001, "limit of 1001; there may be more"},
		{&fakeServer{jobs: 51, perPage: 20}, onTerminal, "", 50, "limit of 50; there may be more"},
		{&fakeServer{jobs: 50, perPage: 20}, onTerminal, "", 50, ""},
		{&fakeServer{jobs: 10_001, perPage: 500}, nil, "", 10_000, "limit of 10000; there may be more"},
		{&fakeServer{jobs: 3, perPage: 1, unreachable: []string{"b"}}, nil, "", 3, "no answer from the node b"},
	} {
		code, out, errs := run(t, c.server, c.change, strings.Fields("job list --output name"+c.args)...)
		if code != 0 || strings.Count(out, "\n") != c.want || !strings.Contains(errs, c.note) || c.note == "" && errs != "" {
			t.Errorf("%d jobs%s: %d, %d lines, %q", c.server.jobs, c.args, code, strings.Count(out, "\n"), errs)
		}
		if n := strings.Count(errs, "no answer"); n > 1 {
			t.Errorf("an unreachable node is named %d times", n)
		}
	}
}

func TestFlagsSelectJobs(t *testing.T) {
	for args, want := range map[string][2]string{
		"":                                  {"namespaces/default/apps/-", ""},
		"--app billing -n shop":             {"namespaces/shop/apps/billing", ""},
		"-A --kind any --app billing":       {"namespaces/-", `app = "billing"`},
		"--kind reminder":                   {"namespaces/default/actorTypes/-/actors/-", ""},
		"--kind reminder --actor-type Cart": {"namespaces/default/actorTypes/Cart/actors/-", ""},
		"--kind reminder --actor 7":         {"namespaces/default/actorTypes/-/actors/7", ""},
		`--prefix a"\b --state overdue`:     {"namespaces/default/apps/-", `name = "a\"\\b*" AND state = OVERDUE`},
		"--label team=billing":              {"namespaces/default/apps/-", `labels.team = "billing"`},
		"-l example.com/team,a!=b --label c==d -l e=": {
			"namespaces/default/apps/-", `labels.example.com/team = * AND labels.a != "b" AND labels.c = "d" AND labels.e = ""`,
		},
		"--state running --filter name:mail": {"namespaces/default/apps/-", "state = RUNNING AND name:mail"},
	} {
		for _, verb := range []string{"list", "count"} {
			f := &fakeServer{}
			code, _, errs := run(t, f, nil, append([]string{"job", verb}, strings.Fields(args)...)...)
			if code != 0 || f.parents[0] != want[0] || f.filters[0] != want[1] {
				t.Errorf("job %s %s: %d %s, asks %s, %s", verb, args, code, errs, f.parents, f.filters)
			}
		}
	}
}

func TestListAsksForTheOrder(t *testing.T) {
	for args, want := range map[string]string{"": "", "--order-by name": "", "--order-by due": "due_time"} {
		f := &fakeServer{jobs: 2, perPage: 1}
		code, _, errs := run(t, f, nil, append([]string{"job", "list"}, strings.Fields(args)...)...)
		if code != 0 || len(f.orders) != 2 || f.orders[0] != want || f.orders[1] != want {
			t.Errorf("job list %s: %d %s, asks for the orders %q, want %q twice", args, code, errs, f.orders, want)
		}
	}
}

func TestGetTakesEachNameOfAJob(t *testing.T) {
	const job, reminder = "namespaces/default/apps/a/jobs/j", "namespaces/shop/actorTypes/T/actors/7/reminders/r"
	for args, want := range map[string]string{
		"j --app a": job, "app/a/j": job, "app/a/j --app a": job, job: job, job + " -n default": job,
		"r --actor-type T --actor 7 -n shop": reminder, "actor/T/7/r -n shop": reminder, reminder: reminder,
	} {
		f := &fakeServer{}
		if code, _, errs := run(t, f, nil, append([]string{"job", "get"}, strings.Fields(args)...)...); code != 0 || f.parents[0] != want {
			t.Errorf("job get %s: %d %s, asks %s", args, code, errs, f.parents)
		}
	}
}

func TestLabelsAreShown(t *testing.T) {
	f := &fakeServer{jobs: 1, perPage: 1, labels: map[string]string{"team": "billing", "example.com/tier": ""}, description: "sends\nmail"}
	for args, want := range map[string]string{
		"get app/billing/j0":               "Description:     sends\\nmail\nLabels:          example.com/tier=, team=billing\n",
		"get app/billing/j0 --output json": `"labels": {`,
		"get app/billing/j0 --output yaml": "  team: billing\n",
		"list --output wide":               "example.com/tier=",
		"list --output json":               `"team": "billing"`,
		"list --output yaml":               "team: billing\n",
		"list --output csv":                "team=billing",
	} {
		code, out, errs := run(t, f, nil, append([]string{"job"}, strings.Fields(args)...)...)
		if code != 0 || !strings.Contains(out, want) {
			t.Errorf("job %s: %d, %s, %s; want %q", args, code, out, errs, want)
		}
	}
	if _, out, _ := run(t, f, nil, "job", "list"); strings.Contains(out, "billing=") || strings.Contains(out, "LABELS") {
		t.Errorf("the narrow table has labels: %s", out)
	}
	f.labels, f.description = nil, ""
	if _, out, _ := run(t, f, nil, "job", "get", "app/billing/j0"); strings.Contains(out, "Labels") || strings.Contains(out, "Description") {
		t.Errorf("a job without labels shows them: %s", out)
	}
}

func TestWrongCommandLineAsksNoServer(t *testing.T) {
	for args, want := range map[string]string{
		"get j":                               "whose j is it?",
		"get j --actor-type T":                "whose j is it?",
		"get a/j":                             `"a/j" is no name of a job`,
		"get app/a/j --app b":                 "--app b contradicts the name app/a/j",
		"get app/a/j --actor-type T":          "--actor-type T contradicts the name",
		"get j --app a --actor 7":             "give one of both",
		"get j --app a/b":                     "--app a/b: it must not have a slash",
		"get namespaces/x/apps/a/jobs/j -n y": "--namespace y contradicts the name",
		"list -A -n x":                        "contradict each other",
		"list --actor 7":                      "add --kind reminder",
		"list --app a/b":                      "--app a/b: it must not have a slash",
		"list --label a|b":                    `--label "a|b": give KEY=VALUE`,
		"count -l =b":                         `--label "=b": give KEY=VALUE`,
		"list --limit -1":                     "--limit -1: it must be between 1 and",
		"list --kind cron":                    "it must be job or reminder or any",
		"list --order-by next":                "it must be name or due",
		"count --state late":                  "it must be any or scheduled or",
	} {
		f := &fakeServer{}
		code, out, errs := run(t, f, nil, append([]string{"job"}, strings.Fields(args)...)...)
		if code != exit.Usage || out != "" || !strings.Contains(errs, want) || len(f.parents) > 0 {
			t.Errorf("job %s: %d, %q, %q, asks %s", args, code, out, errs, f.parents)
		}
	}
}

func TestErrorsOfTheServerAreInTheWordsOfTheReader(t *testing.T) {
	for _, c := range []struct {
		err  error
		args string
		code int
		want string
	}{
		{status.Error(codes.NotFound, "no job"), "get backup --app billing", 1, `job "backup" not found in app "billing"; see: carillon job list --app billing`},
		{
			status.Error(codes.NotFound, "no job"), "get app/a/j -n x", 1,
			`job "j" not found in app "a" of namespace "x"; see: carillon job list --app a --namespace x`,
		},
		{status.Error(codes.InvalidArgument, "filter: a value is missing"), "list", 2, "--filter: a value is missing"},
		{status.Error(codes.InvalidArgument, "orderBy: too many apps"), "list --order-by due", 2, "--order-by: too many apps"},
		{status.Error(codes.InvalidArgument, "parent: too long"), "count", 2, "parent: too long"},
		{status.Error(codes.PermissionDenied, "the token does not cover this"), "list", 1, "the token does not cover this; use the token"},
	} {
		code, out, errs := run(t, &fakeServer{err: c.err}, nil, append([]string{"job"}, strings.Fields(c.args)...)...)
		if code != c.code || out != "" || !strings.HasPrefix(errs, c.want) {
			t.Errorf("job %s: %d, %q, %q, want %d, %q", c.args, code, out, errs, c.code, c.want)
		}
	}
}

func TestCountThatIsNotExactHasAPlusSign(t *testing.T) {
	if code, out, errs := run(t, &fakeServer{jobs: 10_000}, nil, "job", "count"); code != 0 || out != "10000+\n" || errs != "" {
		t.Errorf("%d, %q, %q", code, out, errs)
	}
}

func TestCompletionEndsWithItsTimeout(t *testing.T) {
	begin := time.Now()
	_, out, _ := run(t, &fakeServer{hang: true}, nil, "__complete", "job", "get", "--app", "billing", "")
	if took := time.Since(begin); took > 20*completionTimeout || strings.Contains(out, "billing") {
		t.Errorf("%q after %v", out, took)
	}
}

// newRoot returns a tree that has only the commands of this package.
func newRoot(std *terminal.Streams, out *bytes.Buffer) *cobra.Command {
	root := &cobra.Command{Use: "carillon"}
	root.AddCommand(New(std), NewSchedule(std))
	command.Root(root, "", std)
	root.SetOut(out)
	return root
}
