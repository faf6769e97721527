package jobcmd

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	pb "carillon/internal/managementv1"
	"carillon/internal/terminal"
)

// changingServer has one more job with each list.
type changingServer struct {
	pb.UnimplementedManagementServer

	mu    sync.Mutex // guards the fields below
	lists int
	done  context.CancelFunc // after the third list
}

func (f *changingServer) ListJobs(context.Context, *pb.ListJobsRequest) (*pb.ListJobsResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	page := new(pb.ListJobsResponse)
	for i := range f.lists {
		page.Jobs = append(page.Jobs, &pb.Job{Name: fmt.Sprintf("namespaces/default/apps/a/jobs/%d", i)})
	}
	f.lists++
	if f.lists > 3 {
		f.done()
	}
	return page, nil
}

func (f *changingServer) GetJob(_ context.Context, r *pb.GetJobRequest) (*pb.Job, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lists++
	if f.lists > 3 {
		f.done()
	}
	return &pb.Job{Name: r.GetName(), SettledCount: uint32(f.lists)}, nil
}

func TestWatchShowsEachChange(t *testing.T) {
	for args, want := range map[string]string{
		"job list --output name": "\nnamespaces/default/apps/a/jobs/0\n\nnamespaces/default/apps/a/jobs/0\nnamespaces/default/apps/a/jobs/1\n",
		"job list --output yaml": "[]\n---\n- name: namespaces/default/apps/a/jobs/0\n---\n- name: namespaces/default/apps/a/jobs/0\n- name: namespaces/default/apps/a/jobs/1\n",
		"job get app/a/j --output json": "{\n  \"name\": \"namespaces/default/apps/a/jobs/j\",\n  \"settledCount\": 1\n}\n{\n  \"name\": \"namespaces/default/apps/a/jobs/j\",\n  \"settledCount\": 2\n}\n" +
			"{\n  \"name\": \"namespaces/default/apps/a/jobs/j\",\n  \"settledCount\": 3\n}\n",
	} {
		ctx, done := context.WithCancel(t.Context())
		begin := time.Now()
		code, out, errs := runIn(ctx, t, &changingServer{done: done}, nil, strings.Fields(args+" --watch --interval 500ms")...)
		if code != 0 || out != want || errs != "" || time.Since(begin) < 1500*time.Millisecond {
			t.Errorf("%s: %d, %q after %v\n%s\nwant:\n%s", args, code, errs, time.Since(begin), out, want)
		}
	}
	if code, _, errs := run(t, new(fakeServer), nil, strings.Fields("job list -w --interval 100ms")...); code != 2 || !strings.Contains(errs, "--interval 100ms: it must be 500ms or more") {
		t.Errorf("--interval 100ms: %d, %q", code, errs)
	}
}

func TestWatchDrawsOverTheScreen(t *testing.T) {
	ctx, done := context.WithCancel(t.Context())
	onTerminal := func(s *terminal.Streams) { s.Terminal = true }
	code, out, errs := runIn(ctx, t, &changingServer{done: done}, onTerminal, strings.Fields("job list -w --interval 500ms")...)
	if code != 0 || errs != "" || strings.Count(out, "\x1b[H") != 3 || strings.Count(out, "\x1b[2J") != 1 || !strings.Contains(out, "no jobs match") {
		t.Errorf("%d, %q, %q", code, errs, out)
	}
}
