package forward_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"carillon/internal/engine"
	"carillon/internal/engine/record"
	"carillon/internal/job"
	"carillon/internal/peerv1"
)

func TestAnyNodeSaysHowFarJobsHaveGot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		all := w.three()
		w.takes = time.Hour
		sent := time.Now()
		var keys []job.Key
		for i := range 40 {
			if err := all[i%3].Schedule(t.Context(), number(i), once(time.Now()), false); err != nil {
				t.Fatal(err)
			}
			keys = append(keys, number(i))
		}
		time.Sleep(time.Second)
		for _, n := range all {
			got, unreachable, err := n.Progress(t.Context(), keys)
			if err != nil || unreachable != nil {
				t.Fatalf("Progress by node %s: %v, unreachable %v", n.id, err, unreachable)
			}
			for i, p := range got {
				if p.Holdup != engine.HoldupInFlight || !p.Since.Equal(sent) {
					t.Errorf("node %s says of job %d: %v, want that it is in flight since %v", n.id, i, p, sent)
				}
				if p.Receivers != engine.ReceiversFull || !p.StoreFull {
					t.Errorf("node %s says of job %d: %v, want what its owner says of receivers and the store", n.id, i, p)
				}
			}
		}

		w.mute.Store("b")
		got, unreachable, err := all[0].Progress(t.Context(), keys)
		if err != nil || len(unreachable) != 1 || unreachable[0] != "nodes/b" {
			t.Errorf("Progress without node b: %v, unreachable %v, want nodes/b", err, unreachable)
		}
		lost := 0
		for i, p := range got {
			own := all[1].engine.IsOwner(all[1].engine.Partition(keys[i]))
			if own {
				lost++
			}
			if own != (p.Holdup == engine.HoldupUnreachable) {
				t.Errorf("job %d, of node b: %v, is %v", i, own, p)
			}
		}
		if lost == 0 {
			t.Error("b owns none of the jobs: this proves nothing")
		}
	})
}

func TestClientCannotAskForProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.three()
		conn, err := w.dial("a")
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		for _, ctx := range []context.Context{t.Context(), peerv1.WithSecret(t.Context(), ""), peerv1.WithSecret(t.Context(), "start 2")} {
			_, err := peerv1.NewPeerClient(conn).Progress(ctx, &peerv1.ProgressRequest{Keys: [][]byte{record.JobKey(number(1))}})
			if status.Code(err) != codes.PermissionDenied {
				t.Errorf("a call without the secret: %v, want PermissionDenied", err)
			}
		}
	})
}
