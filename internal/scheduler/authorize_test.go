package scheduler_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"carillon/internal/bulkv1"
	"carillon/internal/identity"
	"carillon/internal/identity/identitytest"
	"carillon/internal/peerv1"
	"carillon/internal/scheduler"
)

// who returns an identity source for an app in a namespace.
func who(t *testing.T, a *identitytest.Authority, domain, ns, app string) *identity.Source {
	t.Helper()
	cert, key, ca := a.Write(t, "spiffe://"+domain+"/ns/"+ns+"/"+app, time.Hour)
	s, err := identity.OpenFiles(identity.Files{Cert: cert, Key: key, CA: ca}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// runFor starts a node with mTLS, and a client that is this app.
func runFor(t *testing.T, ns, app string) *node {
	t.Helper()
	a := identitytest.NewAuthority(t)
	server, err := identity.ID("localhost", "default", "dapr-scheduler")
	if err != nil {
		t.Fatal(err)
	}
	return runAs(t, who(t, a, "localhost", "default", "dapr-scheduler"), who(t, a, "public", ns, app).Client(server))
}

// callsAbout returns a call of each method about an app of a namespace; for a stream, the first
// message.
func callsAbout(n *node) map[string]func(ctx context.Context, m *schedulerv1.JobMetadata) error {
	return map[string]func(ctx context.Context, m *schedulerv1.JobMetadata) error{
		"ScheduleJob": func(ctx context.Context, m *schedulerv1.JobMetadata) error {
			_, err := n.ScheduleJob(ctx, &schedulerv1.ScheduleJobRequest{Name: "a", Metadata: m, Job: &schedulerv1.Job{DueTime: new("1h")}, Overwrite: true})
			return err
		},
		"GetJob": func(ctx context.Context, m *schedulerv1.JobMetadata) error {
			_, err := n.GetJob(ctx, &schedulerv1.GetJobRequest{Name: "a", Metadata: m})
			if status.Code(err) == codes.NotFound {
				return nil
			}
			return err
		},
		"DeleteJob": func(ctx context.Context, m *schedulerv1.JobMetadata) error {
			_, err := n.DeleteJob(ctx, &schedulerv1.DeleteJobRequest{Name: "a", Metadata: m})
			return err
		},
		"ListJobs": func(ctx context.Context, m *schedulerv1.JobMetadata) error {
			_, err := n.ListJobs(ctx, &schedulerv1.ListJobsRequest{Metadata: m})
			return err
		},
		"DeleteByMetadata": func(ctx context.Context, m *schedulerv1.JobMetadata) error {
			_, err := n.DeleteByMetadata(ctx, &schedulerv1.DeleteByMetadataRequest{Metadata: m})
			return err
		},
		"DeleteByNamePrefix": func(ctx context.Context, m *schedulerv1.JobMetadata) error {
			_, err := n.DeleteByNamePrefix(ctx, &schedulerv1.DeleteByNamePrefixRequest{Metadata: m, NamePrefix: "a"})
			return err
		},
		"WatchJobs": func(ctx context.Context, m *schedulerv1.JobMetadata) error {
			stream, err := n.WatchJobs(ctx)
			if err != nil {
				return err
			}
			initial := &schedulerv1.WatchJobsRequest_Initial{Initial: hello(m.GetNamespace(), m.GetAppId())}
			if err := stream.Send(&schedulerv1.WatchJobsRequest{WatchJobRequestType: initial}); err != nil {
				return err
			}
			return firstOf(func() error { _, err := stream.Recv(); return err })
		},
		"WatchHosts": func(ctx context.Context, _ *schedulerv1.JobMetadata) error {
			stream, err := n.WatchHosts(ctx, new(schedulerv1.WatchHostsRequest))
			if err != nil {
				return err
			}
			_, err = stream.Recv()
			return err
		},
		"Bulk.ScheduleJobs": func(ctx context.Context, m *schedulerv1.JobMetadata) error {
			own := &schedulerv1.ScheduleJobRequest{Name: "b", Metadata: jobMetadata("ns", "app"), Job: &schedulerv1.Job{DueTime: new("1h")}, Overwrite: true}
			other := &schedulerv1.ScheduleJobRequest{Name: "a", Metadata: m, Job: &schedulerv1.Job{DueTime: new("1h")}, Overwrite: true}
			_, err := bulkv1.NewBulkClient(n.conn).ScheduleJobs(ctx, bulkOf(own, other))
			return err
		},
		"Bulk.ScheduleJobsWithExt": func(ctx context.Context, m *schedulerv1.JobMetadata) error {
			other := &schedulerv1.ScheduleJobRequest{Name: "a", Metadata: m, Job: &schedulerv1.Job{DueTime: new("1h")}, Overwrite: true}
			_, err := bulkv1.NewBulkClient(n.conn).ScheduleJobsWithExt(ctx, &bulkv1.ScheduleJobsWithExtRequest{
				Jobs: []*bulkv1.JobWithExt{{Job: due("b", "x")}, {Job: other}},
			})
			return err
		},
		"Bulk.ListJobsPage": func(ctx context.Context, m *schedulerv1.JobMetadata) error {
			_, err := bulkv1.NewBulkClient(n.conn).ListJobsPage(ctx, &bulkv1.ListJobsPageRequest{Metadata: m})
			return err
		},
	}
}

// firstOf returns the result of f, or nil if f still waits when no connection is throttled any
// more.
func firstOf(f func() error) error {
	got := make(chan error, 1)
	go func() { got <- f() }()
	time.Sleep(2 * time.Second)
	select {
	case err := <-got:
		return err
	default:
		return nil
	}
}

func TestMTLSCallerMayActOnlyForItsApp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := runFor(t, "ns", "app")
		calls := callsAbout(n)
		for _, m := range schedulerv1.Scheduler_ServiceDesc.Methods {
			if calls[m.MethodName] == nil {
				t.Errorf("no test calls %s", m.MethodName)
			}
		}
		for _, s := range schedulerv1.Scheduler_ServiceDesc.Streams {
			if calls[s.StreamName] == nil {
				t.Errorf("no test calls %s", s.StreamName)
			}
		}
		for _, m := range bulkv1.Bulk_ServiceDesc.Methods {
			if calls["Bulk."+m.MethodName] == nil {
				t.Errorf("no test calls Bulk.%s", m.MethodName)
			}
		}
		for name, call := range calls {
			ctx, cancel := context.WithCancel(t.Context())
			for _, m := range []*schedulerv1.JobMetadata{jobMetadata("ns", "app"), actorMetadata("ns", "app", "T", "id")} {
				if err := call(ctx, m); err != nil {
					t.Errorf("%s about the caller's own: %v", name, err)
				}
			}
			for _, m := range []*schedulerv1.JobMetadata{
				jobMetadata("ns", "app2"), jobMetadata("ns", "ap"), jobMetadata("ns2", "app"), jobMetadata("NS", "app"),
				actorMetadata("ns", "other", "T", "id"), actorMetadata("ns2", "app", "T", "id"),
			} {
				err := call(ctx, m)
				if name == "WatchHosts" {
					if err != nil {
						t.Errorf("%s, which any caller may call: %v", name, err)
					}
					continue
				}
				if status.Code(err) != codes.PermissionDenied || !strings.Contains(err.Error(), "identity does not match request") {
					t.Errorf("%s about %s/%s: %v, want PermissionDenied", name, m.GetNamespace(), m.GetAppId(), err)
				}
			}
			if name != "WatchHosts" {
				if err := call(ctx, jobMetadata("", "app")); status.Code(err) != codes.InvalidArgument {
					t.Errorf("%s about no namespace: %v, want InvalidArgument", name, err)
				}
			}
			cancel()
			synctest.Wait()
		}
		for k := range n.jobs.jobs {
			if k.Target.Namespace != "ns" || k.Target.Name != "app" && k.Target.Name != "T" {
				t.Errorf("%s is stored", k)
			}
		}
	})
}

// Dapr deletes those of app2, too, when app asks for all whose app ids begin so.
func TestMTLSCallerMayNotDeleteByAppPrefix(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := runFor(t, "ns", "app")
		ask := func(m *schedulerv1.JobMetadata) error {
			_, err := n.DeleteByMetadata(t.Context(), &schedulerv1.DeleteByMetadataRequest{Metadata: m, IdPrefixMatch: new(true)})
			return err
		}
		if err := ask(jobMetadata("ns", "app")); status.Code(err) != codes.PermissionDenied || !strings.HasPrefix(status.Convert(err).Message(), "failed to parse metadata: ") {
			t.Errorf("apps by a prefix: %v, want PermissionDenied", err)
		}
		if err := ask(actorMetadata("ns", "app", "T", "id")); err != nil {
			t.Errorf("actors by a prefix: %v", err)
		}
		n.wantMetrics(t, "in the end", "jobs_bulk_deleted_total 1", `sidecar_errors_total{reason="auth_failed"} 1`)
	})
}

// nodes answers each call of another node, as the real one does when all went well.
type nodes struct{}

func (nodes) AnswerProgress(context.Context, *peerv1.ProgressRequest) (*peerv1.ProgressResponse, error) {
	return new(peerv1.ProgressResponse), nil
}

func (nodes) Apply(context.Context, *peerv1.ApplyRequest) (*peerv1.ApplyResponse, error) {
	return new(peerv1.ApplyResponse), nil
}

func TestMTLSPeerServiceIsForNodesOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := identitytest.NewAuthority(t)
		server, err := identity.ID("localhost", "default", "dapr-scheduler")
		if err != nil {
			t.Fatal(err)
		}
		own := who(t, a, "localhost", "default", "dapr-scheduler")
		change := func(c *scheduler.Config, _ *memory) { c.Identity, c.Peer, c.PeerSecret = own, nodes{}, "secret" }
		for name, c := range map[string]struct {
			who  *identity.Source
			want codes.Code
		}{
			"a node":                 {who(t, a, "localhost", "default", "dapr-scheduler"), codes.OK},
			"an app":                 {who(t, a, "localhost", "default", "app"), codes.PermissionDenied},
			"one of another domain":  {who(t, a, "elsewhere", "default", "dapr-scheduler"), codes.PermissionDenied},
			"one of another cluster": {who(t, a, "localhost", "other", "dapr-scheduler"), codes.PermissionDenied},
		} {
			n := start(t, change, c.who.Client(server))
			if err := apply(peerv1.WithSecret(t.Context(), "secret"), n); status.Code(err) != c.want {
				t.Errorf("%s: %v, want %v", name, err, c.want)
			}
			if err := apply(t.Context(), n); status.Code(err) != codes.PermissionDenied {
				t.Errorf("%s, without the secret: %v, want PermissionDenied", name, err)
			}
		}
	})
}

// apply makes a call like another node.
func apply(ctx context.Context, n *node) error {
	_, err := peerv1.NewPeerClient(n.conn).Apply(ctx, new(peerv1.ApplyRequest))
	return err
}

func TestPeerServiceNeedsSecretWithoutMTLS(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for own, shown := range map[string]map[string]codes.Code{
			"secret": {"secret": codes.OK, "Secret": codes.PermissionDenied, "secret2": codes.PermissionDenied, "": codes.PermissionDenied},
			"":       {"": codes.PermissionDenied, "secret": codes.PermissionDenied},
		} {
			n := runWith(t, func(c *scheduler.Config, _ *memory) { c.Peer, c.PeerSecret = nodes{}, own })
			for secret, want := range shown {
				if err := apply(peerv1.WithSecret(t.Context(), secret), n); status.Code(err) != want {
					t.Errorf("%q to a node whose secret is %q: %v, want %v", secret, own, err, want)
				}
			}
			if err := apply(t.Context(), n); status.Code(err) != codes.PermissionDenied {
				t.Errorf("nothing to a node whose secret is %q: %v, want PermissionDenied", own, err)
			}
			twice := peerv1.WithSecret(peerv1.WithSecret(t.Context(), "wrong"), own)
			if err := apply(twice, n); status.Code(err) != codes.PermissionDenied {
				t.Errorf("two secrets: %v, want PermissionDenied", err)
			}
			n.wantMetrics(t, "in the end", fmt.Sprintf(`sidecar_errors_total{reason="auth_failed"} %d`, map[string]int{"secret": 5, "": 4}[own]))
		}
	})
}

func TestMTLSRefusesPlaintextClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := runFor(t, "ns", "app")
		plain := n.client(t)
		defer plain.Close()
		_, err := schedulerv1.NewSchedulerClient(plain).ListJobs(t.Context(), &schedulerv1.ListJobsRequest{Metadata: jobMetadata("ns", "app")})
		if status.Code(err) != codes.Unavailable {
			t.Errorf("%v, want Unavailable", err)
		}
	})
}
