package forward_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"carillon/internal/engine/record"
	"carillon/internal/peerv1"
)

func TestAnyNodeReportsOnAllNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		all := w.three()
		q := &peerv1.TargetsRequest{Targets: [][]byte{record.TargetKey(number(1).Target)}}
		for _, n := range all {
			reports, err := n.Nodes(t.Context())
			if err != nil || len(reports) != 3 {
				t.Fatalf("Nodes by node %s = %v, %v, want three", n.id, reports, err)
			}
			for i, r := range reports {
				id := all[i].id
				if r.ID != id || r.Address != id || r.Status.GetVersion() != "of "+id || !r.Member || r.Problem != "" || !r.Since.IsZero() {
					t.Errorf("node %s reports %+v, want that node %s is well", n.id, r, id)
				}
			}
			answers, unreachable, err := n.Targets(t.Context(), q)
			if err != nil || unreachable != nil || len(answers) != 3 {
				t.Fatalf("Targets by node %s = %v, %v, %v", n.id, answers, unreachable, err)
			}
			for id, a := range answers {
				if a.GetTargets()[0].GetStreams()[0].GetAppId() != id {
					t.Errorf("node %s has %v as the answer of %s", n.id, a, id)
				}
			}
			connected, _, err := n.ConnectedTargets(t.Context(), &peerv1.ConnectedTargetsRequest{Namespace: "ns"})
			if ids := slices.Sorted(maps.Keys(connected)); err != nil || !slices.Equal(ids, []string{"a", "b", "c"}) {
				t.Errorf("ConnectedTargets by node %s: answers of %v, %v", n.id, ids, err)
			}
		}
	})
}

func TestNodeThatDoesNotAnswerIsReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		all := w.three()
		w.mute.Store("b")
		q := &peerv1.TargetsRequest{Targets: [][]byte{record.TargetKey(number(1).Target)}}
		answers, unreachable, err := all[0].Targets(t.Context(), q)
		if err != nil || len(answers) != 2 || answers["b"] != nil || !slices.Equal(unreachable, []string{"nodes/b"}) {
			t.Errorf("Targets without node b = %v, unreachable %v, %v", answers, unreachable, err)
		}
		begin := time.Now()
		for range 3 {
			reports, err := all[0].Nodes(t.Context())
			if err != nil || len(reports) != 3 {
				t.Fatalf("Nodes without node b = %v, %v, want three", reports, err)
			}
			b := reports[1]
			if b.ID != "b" || b.Status != nil || !b.Member || !strings.Contains(b.Problem, "does not answer") {
				t.Errorf("the report on b: %+v, want that it is a member and does not answer", b)
			}
			if since := b.Since.Sub(begin); since < 0 || since > 3*time.Second {
				t.Errorf("b does not answer since %v after it was asked first, want that it stays so", since)
			}
			time.Sleep(time.Minute)
		}
		w.mute.Store("")
		if reports, err := all[0].Nodes(t.Context()); err != nil || reports[1].Status == nil || !reports[1].Since.IsZero() {
			t.Errorf("when b answers again: %+v, %v", reports, err)
		}
	})
}

func TestFormerMemberIsReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		all := w.three()
		lost := time.Now()
		w.cluster.Cut("c", true) // its lease ends
		time.Sleep(3 * ttl)
		w.cluster.Expire()
		time.Sleep(3 * ttl)
		for _, n := range all[:2] {
			reports, err := n.Nodes(t.Context())
			if err != nil || len(reports) != 3 {
				t.Fatalf("Nodes by node %s = %v, %v, want three", n.id, reports, err)
			}
			c := reports[2]
			if c.ID != "c" || c.Address != "c" || c.Member || c.Status != nil || c.Problem == "" {
				t.Errorf("node %s reports %+v, want that c is no member", n.id, c)
			}
			if since := c.Since.Sub(lost); since <= 0 || since > 6*ttl {
				t.Errorf("node %s says that c is lost since %v after it was cut off", n.id, since)
			}
		}
		reports, err := all[2].Nodes(t.Context())
		if err != nil || len(reports) != 3 || reports[2].Status == nil {
			t.Fatalf("the lost node reports %+v, %v, want itself, and the members that it saw", reports, err)
		}
		for _, r := range reports[:2] {
			if r.Status != nil || !r.Member || !strings.Contains(r.Problem, "not a member") {
				t.Errorf("the lost node reports %+v", r)
			}
		}
		if _, _, err := all[2].Targets(t.Context(), &peerv1.TargetsRequest{}); err == nil {
			t.Error("the lost node answers about apps, want an error")
		}
		w.cluster.Cut("c", false)
		time.Sleep(5 * ttl)
		if reports, err := all[0].Nodes(t.Context()); err != nil || len(reports) != 3 || reports[2].Status == nil || !reports[2].Since.IsZero() {
			t.Errorf("when c is back: %+v, %v", reports, err)
		}
	})
}

func TestClientCannotAskForReports(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.three()
		conn, err := w.dial("a")
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		c := peerv1.NewPeerClient(conn)
		ctx := peerv1.WithSecret(t.Context(), "start 2")
		for method, call := range map[string]func() error{
			"Targets":          func() error { _, err := c.Targets(ctx, &peerv1.TargetsRequest{}); return err },
			"ConnectedTargets": func() error { _, err := c.ConnectedTargets(ctx, &peerv1.ConnectedTargetsRequest{}); return err },
			"Status":           func() error { _, err := c.Status(ctx, &peerv1.StatusRequest{}); return err },
		} {
			if err := call(); status.Code(err) != codes.PermissionDenied {
				t.Errorf("%s without the secret: %v, want PermissionDenied", method, err)
			}
		}
	})
}
