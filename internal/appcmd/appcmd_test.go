package appcmd

import (
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
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"carillon/internal/command"
	"carillon/internal/exit"
	pb "carillon/internal/managementv1"
	"carillon/internal/terminal"
	"carillon/internal/terminal/terminaltest"
)

// fakeServer is a management API with apps and nodes. It answers a list of apps with pages of at most perPage.
type fakeServer struct {
	pb.UnimplementedManagementServer

	apps        []*pb.App
	perPage     int
	nodes       []*pb.Node
	unreachable []string
	err         error // of each call

	mu    sync.Mutex
	asked []string // names, or parents and filters
}

func (f *fakeServer) note(text ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, strings.Join(text, "; "))
}

func (f *fakeServer) GetApp(_ context.Context, r *pb.GetAppRequest) (*pb.App, error) {
	f.note(r.GetName())
	if f.err != nil || len(f.apps) == 0 {
		return &pb.App{Name: r.GetName()}, f.err
	}
	return f.apps[0], nil
}

func (f *fakeServer) ListApps(_ context.Context, r *pb.ListAppsRequest) (*pb.ListAppsResponse, error) {
	f.note(r.GetParent(), r.GetFilter())
	next := 0
	_, _ = fmt.Sscan(r.GetPageToken(), &next)
	page := &pb.ListAppsResponse{Unreachable: f.unreachable}
	for range min(max(1, f.perPage), int(r.GetPageSize()), len(f.apps)-next) {
		page.Apps = append(page.Apps, f.apps[next])
		next++
	}
	if next < len(f.apps) {
		page.NextPageToken = fmt.Sprint(next)
	}
	return page, f.err
}

func (f *fakeServer) GetNode(_ context.Context, r *pb.GetNodeRequest) (*pb.Node, error) {
	f.note(r.GetName())
	if f.err != nil || len(f.nodes) == 0 {
		return &pb.Node{Name: r.GetName()}, f.err
	}
	return f.nodes[0], nil
}

func (f *fakeServer) ListNodes(_ context.Context, r *pb.ListNodesRequest) (*pb.ListNodesResponse, error) {
	next := 0
	_, _ = fmt.Sscan(r.GetPageToken(), &next)
	page := new(pb.ListNodesResponse)
	if next < len(f.nodes) {
		page.Nodes = f.nodes[next : next+1]
		if next++; next < len(f.nodes) {
			page.NextPageToken = fmt.Sprint(next)
		}
	}
	return page, f.err
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
	std.Env = func(name string) (string, bool) { return "http://" + l.Addr().String(), name == "CARILLON_SERVER" }
	if change != nil {
		change(std)
	}
	root := &cobra.Command{Use: "carillon"}
	root.AddCommand(New(std), NewNode(std))
	command.Root(root, "", std)
	root.SetOut(o)
	code, line := exit.Of(command.Run(t.Context(), root, args))
	return code, o.String(), e.String() + line
}

// at is an instant long before the tests.
func at(d time.Duration) *timestamppb.Timestamp {
	return timestamppb.New(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).Add(d))
}

func billing() *pb.App {
	return &pb.App{
		Name: "namespaces/default/apps/billing", Kind: pb.App_APP, HasJobs: true, Connected: true, StreamCount: 2, InFlightCount: 7,
		Streams: []*pb.SidecarStream{
			{AppId: "billing", Node: "nodes/a", Address: "10.0.0.1:4000", ConnectTime: at(time.Minute)},
			{AppId: "billing", Node: "nodes/b", Address: "10.0.0.1:4001", ConnectTime: at(0)},
		},
		Overdue: &pb.OverdueJobs{Count: 1000, OldestDueTime: at(time.Hour)},
	}
}

func cart() *pb.App {
	return &pb.App{
		Name: "namespaces/shop/actorTypes/Cart", Kind: pb.App_ACTOR_TYPE, HasJobs: true, HeldCount: 3, Overdue: &pb.OverdueJobs{Exact: true},
	}
}

func TestAppsAreListedInEachFormat(t *testing.T) {
	f := &fakeServer{apps: []*pb.App{billing(), cart()}}
	for format, want := range map[string]string{
		"table": "billing\t2\t2026-01-02T03:04:05Z\t7\t1000+\t2026-01-02T04:04:05Z\n" + "Cart\t0\t\t0\t0\t\n",
		"name":  "namespaces/default/apps/billing\nnamespaces/shop/actorTypes/Cart\n",
		"csv": "NAMESPACE,NAME,KIND,STREAMS,CONNECTED,IN FLIGHT,OVERDUE,OLDEST,HELD,JOBS,NODES,ADDRESSES\n" +
			"default,billing,app,2,2026-01-02T03:04:05Z,7,1000+,2026-01-02T04:04:05Z,0,yes,\"a,b\",10.0.0.1\n" +
			"shop,Cart,actor-type,0,,0,0,,3,yes,,\n",
	} {
		code, out, errs := run(t, f, nil, "app", "list", "--output", format)
		if code != 0 || out != want || errs != "" {
			t.Errorf("%s: %d, %q, %q; want %q", format, code, out, errs, want)
		}
	}
	for _, format := range []string{"json", "yaml"} {
		if code, out, _ := run(t, f, nil, "app", "list", "-o", format); code != 0 || strings.Count(out, "hasJobs") != 2 || !strings.Contains(out, "oldestDueTime") {
			t.Errorf("%s: %d, %s, want all fields of two apps", format, code, out)
		}
	}
}

func TestListOfAppsGetsAllPagesUpToTheLimit(t *testing.T) {
	var many []*pb.App
	for i := range 51 {
		many = append(many, &pb.App{Name: fmt.Sprint("namespaces/default/apps/a", i)})
	}
	onTerminal := func(s *terminal.Streams) { s.Terminal = true }
	for _, c := range []struct {
		server *fakeServer
		change func(*terminal.Streams)
		args   string
		want   int
		note   string
	}{
		{&fakeServer{apps: many, perPage: 7}, nil, "", 51, ""},
		{&fakeServer{apps: many, perPage: 7}, nil, " --limit 20", 20, "limit of 20; there may be more"},
		{&fakeServer{apps: many, perPage: 7}, onTerminal, "", 50, "limit of 50; there may be more"},
		{&fakeServer{apps: many[:3], perPage: 1, unreachable: []string{"nodes/b"}}, nil, "", 3, "no answer from the node nodes/b"},
	} {
		code, out, errs := run(t, c.server, c.change, strings.Fields("app list --output name"+c.args)...)
		if code != 0 || strings.Count(out, "\n") != c.want || !strings.Contains(errs, c.note) || c.note == "" && errs != "" {
			t.Errorf("%d apps%s: %d, %d lines, %q", len(c.server.apps), c.args, code, strings.Count(out, "\n"), errs)
		}
	}
}

func TestFlagsSelectApps(t *testing.T) {
	for args, want := range map[string]string{
		"":                               "namespaces/default; kind = APP",
		"-n shop --kind actor-type":      "namespaces/shop; kind = ACTOR_TYPE",
		"-A --kind any":                  "namespaces/-; ",
		"--disconnected --overdue":       "namespaces/default; kind = APP AND connected = false AND overdue = true",
		`--prefix a"b --filter name:x`:   `namespaces/default; kind = APP AND name = "a\"b*" AND name:x`,
		"--kind any --filter overdue=no": "namespaces/default; overdue=no",
	} {
		f := new(fakeServer)
		if code, _, errs := run(t, f, nil, append([]string{"app", "list"}, strings.Fields(args)...)...); code != 0 || f.asked[0] != want {
			t.Errorf("app list %s: %d %s, asks %q, want %q", args, code, errs, f.asked, want)
		}
	}
}

func TestEmptyListOfAppsSaysWhatToDo(t *testing.T) {
	onTerminal := func(s *terminal.Streams) { s.Terminal = true }
	for args, want := range map[string]string{
		"":          "carillon dev --app-id sub",
		"--overdue": "no apps match; carillon app list --all-namespaces --kind any",
	} {
		if code, out, errs := run(t, new(fakeServer), onTerminal, append([]string{"app", "list"}, strings.Fields(args)...)...); code != 0 || out != "" || !strings.Contains(errs, want) {
			t.Errorf("app list %s: %d, %q, %q, want %q", args, code, out, errs, want)
		}
	}
	if code, out, errs := run(t, new(fakeServer), nil, "app", "list", "-o", "json"); code != 0 || out != "[]\n" || errs != "" {
		t.Errorf("as JSON: %d, %q, %q", code, out, errs)
	}
}

func TestGetShowsTheStreamsOfAnApp(t *testing.T) {
	f := &fakeServer{apps: []*pb.App{billing()}}
	code, out, errs := run(t, f, nil, "app", "get", "billing")
	if code != 0 || errs != "" || f.asked[0] != "namespaces/default/apps/billing" {
		t.Errorf("app get billing: %d, %q, asks %q", code, errs, f.asked)
	}
	for _, line := range []string{
		"Connected:  yes\n", "Streams:    2\n", "In flight:  7\n", "Overdue:    1000+\n", "Oldest due: 2026-01-02T04:04:05Z\n",
		"Stream:     sidecar of billing at 10.0.0.1:4000, to node a, since 2026-01-02T03:05:05Z\n",
	} {
		if !strings.Contains(out, line) {
			t.Errorf("app get billing lacks %q:\n%s", line, out)
		}
	}
	if _, out, _ := run(t, &fakeServer{apps: []*pb.App{cart()}}, nil, "app", "get", "Cart", "--kind", "actor-type"); !strings.Contains(out, "no: start the app with its sidecar") ||
		!strings.Contains(out, "3 wait for a slot of a concurrency limit") {
		t.Errorf("app get of one without a sidecar:\n%s", out)
	}
}

func TestGetTakesEachNameOfAnApp(t *testing.T) {
	for args, want := range map[string]string{
		"billing":                         "namespaces/default/apps/billing",
		"a:b% -n shop":                    "namespaces/shop/apps/a:b%",
		"Cart --kind actor-type":          "namespaces/default/actorTypes/Cart",
		"namespaces/shop/actorTypes/Cart": "namespaces/shop/actorTypes/Cart",
		"namespaces/shop/apps/x -n shop":  "namespaces/shop/apps/x",
	} {
		f := new(fakeServer)
		if code, _, errs := run(t, f, nil, append([]string{"app", "get"}, strings.Fields(args)...)...); code != 0 || f.asked[0] != want {
			t.Errorf("app get %s: %d %s, asks %q, want %q", args, code, errs, f.asked, want)
		}
	}
}

func TestErrorsSayWhatToDo(t *testing.T) {
	missing := &fakeServer{err: status.Error(codes.NotFound, "not found")}
	wrong := &fakeServer{err: status.Error(codes.InvalidArgument, "filter: the field is not known")}
	for _, c := range []struct {
		server *fakeServer
		args   string
		code   int
		want   string
	}{
		{missing, "app get x", 1, `app "x" not found in namespace "default": it has no job, and no sidecar that serves it is connected; see: carillon app list`},
		{missing, "app get T -n shop --kind actor-type", 1, "see: carillon app list --kind actor-type --namespace shop"},
		{missing, "node get x", 1, `node "x" not found; see: carillon node list`},
		{wrong, "app list --filter size=1", 2, "--filter: the field is not known"},
		{nil, "app get a/b", 2, `"a/b" is no name of an app`},
		{nil, "app get namespaces/a/apps/b -n c", 2, "--namespace c contradicts the name"},
		{nil, "app list -A -n x", 2, "contradict each other"},
		{nil, "app list --limit 100001", 2, "between 1 and 100000"},
		{nil, "app list -n a/b", 2, "--namespace a/b: it must not have a slash"},
		{nil, "node get a/b", 2, "no ID of a node"},
	} {
		f := c.server
		if f == nil {
			f = new(fakeServer)
		}
		code, _, errs := run(t, f, nil, strings.Fields(c.args)...)
		if code != c.code || !strings.Contains(errs, c.want) {
			t.Errorf("%s: %d, %q, want %d, %q", c.args, code, errs, c.code, c.want)
		}
		if c.server == nil && len(f.asked) > 0 {
			t.Errorf("%s: asks %q, want no question", c.args, f.asked)
		}
	}
}

func threeNodes() []*pb.Node {
	return []*pb.Node{
		{
			Name: "nodes/a", State: pb.Node_LIVE, Address: "a:1", Version: "1.2", StartTime: at(0), OwnedPartitionCount: 32, StreamCount: 4,
			InFlightCount: 5, InFlightLimit: 100, RefusesJobs: true, Overloaded: true, Disk: &pb.Disk{FreeBytes: 3 << 29, TotalBytes: 10 << 30},
			CommitTimes:      &pb.CommitTimes{Count: 256, P50: durationpb.New(1234567), P99: durationpb.New(45 * time.Millisecond)},
			MemoryLimitBytes: 512 << 20, Problems: []string{"the disk is full"},
		},
		{Name: "nodes/b", State: pb.Node_UNREACHABLE, Address: "b:1", Message: "it does not answer", SinceTime: at(time.Minute)},
		{Name: "nodes/c", State: pb.Node_LOST, Address: "c:1", Message: "it is no member", SinceTime: at(time.Hour)},
	}
}

func TestNodesAreListedInEachFormat(t *testing.T) {
	f := &fakeServer{nodes: threeNodes()}
	for format, want := range map[string]string{
		"table": "a\tlive\t\t2026-01-02T03:04:05Z\t32\t4\t5\t45ms\t1.5 GiB\tit has more work than it can do, and triggers wait for their turn; the disk is full\n" +
			"b\tunreachable\t2026-01-02T03:05:05Z\t\t\t\t\t\t\tit does not answer\n" +
			"c\tlost\t2026-01-02T04:04:05Z\t\t\t\t\t\t\tit is no member\n",
		"name": "nodes/a\nnodes/b\nnodes/c\n",
	} {
		if code, out, errs := run(t, f, nil, "node", "list", "-o", format); code != 0 || out != want || errs != "" {
			t.Errorf("%s: %d, %q, %q; want %q", format, code, out, errs, want)
		}
	}
	if code, out, _ := run(t, f, nil, "node", "list", "-o", "json"); code != 0 || strings.Count(out, `"state"`) != 3 {
		t.Errorf("as JSON: %d, %s", code, out)
	}
	if code, out, _ := run(t, f, nil, "node", "list", "-o", "wide"); code != 0 || !strings.Contains(out, "\t1.23ms\t10.0 GiB\t512.0 MiB\ta:1\t1.2\t") {
		t.Errorf("wide: %d, %q", code, out)
	}
}

func TestGetShowsANode(t *testing.T) {
	f := &fakeServer{nodes: threeNodes()}
	code, out, _ := run(t, f, nil, "node", "get", "nodes/a")
	if code != 0 || f.asked[0] != "nodes/a" {
		t.Errorf("node get nodes/a: %d, asks %q", code, f.asked)
	}
	for _, line := range []string{
		"State:        live\n", "Partitions:   32 owned, 0 being loaded\n", "In flight:    5 of 100\n", "New jobs:     refused\n",
		"Disk:         1.5 GiB free of 10.0 GiB\n", "Note:         the disk is full\n", "Memory limit: 512.0 MiB\n",
		"Commits:      half of the last 256 took 1.23ms or less, and 99 % took 45ms or less\n",
	} {
		if !strings.Contains(out, line) {
			t.Errorf("node get a lacks %q:\n%s", line, out)
		}
	}
	f = &fakeServer{nodes: threeNodes()[1:]}
	if _, out, _ := run(t, f, nil, "node", "get", "b"); !strings.Contains(out, "unreachable") || !strings.Contains(out, "Since:") || strings.Contains(out, "Disk") {
		t.Errorf("node get b:\n%s", out)
	}
}

func TestServerCompletesNames(t *testing.T) {
	f := &fakeServer{apps: []*pb.App{billing()}, nodes: threeNodes()}
	if _, out, _ := run(t, f, nil, "__complete", "app", "get", "bi"); !strings.HasPrefix(out, "billing\n") || f.asked[0] != `namespaces/default; kind = APP AND name = "bi*"` {
		t.Errorf("app get bi: %q, asks %q", out, f.asked)
	}
	if _, out, _ := run(t, f, nil, "__complete", "node", "get", ""); !strings.HasPrefix(out, "a\nb\nc\n") {
		t.Errorf("node get: %q", out)
	}
}
