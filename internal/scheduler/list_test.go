package scheduler_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/anypb"

	"carillon/internal/scheduler"
)

// runLists starts a node whose lists have that many MiB, with 20 MB of jobs of one app, and one job
// of another.
func runLists(t *testing.T, mib int64) *node {
	t.Helper()
	n := runWith(t, func(c *scheduler.Config, _ *memory) { c.MaxListBytes = mib << 20 })
	for i := range 10 {
		j := inAnHour()
		j.Data = &anypb.Any{Value: make([]byte, 2_000_000)}
		n.schedule(t, fmt.Sprint(i), jobMetadata("ns", "large"), j)
	}
	n.schedule(t, "a", jobMetadata("ns", "small"), inAnHour())
	return n
}

// unread asks for a list that is not read.
func (n *node) unread(ctx context.Context, t *testing.T, app string) grpc.ClientStream {
	t.Helper()
	conn := n.client(t)
	t.Cleanup(func() { conn.Close() })
	s, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, schedulerv1.Scheduler_ListJobs_FullMethodName,
		grpc.MaxCallRecvMsgSize(math.MaxInt32))
	if err == nil {
		err = errors.Join(s.SendMsg(&schedulerv1.ListJobsRequest{Metadata: jobMetadata("ns", app)}), s.CloseSend())
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (n *node) listOf(t *testing.T, app string) error {
	t.Helper()
	_, err := n.ListJobs(t.Context(), &schedulerv1.ListJobsRequest{Metadata: jobMetadata("ns", app)},
		grpc.MaxCallRecvMsgSize(math.MaxInt32))
	return err
}

func TestListCountsUntilItIsSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := runLists(t, 40)
		for _, end := range []string{"read", "given up"} {
			ctx, cancel := context.WithCancel(t.Context())
			s := n.unread(ctx, t, "large")
			synctest.Wait()
			began := time.Now()
			err := n.listOf(t, "large")
			if status.Code(err) != codes.ResourceExhausted || time.Since(began) != 10*time.Second ||
				!strings.Contains(err.Error(), "41943040 bytes") || !strings.Contains(err.Error(), "prefix") {
				t.Errorf("while a list is not read, another gets %v after %v: want ResourceExhausted after ten seconds", err, time.Since(began))
			}
			if err := n.listOf(t, "small"); err != nil {
				t.Errorf("a small list meanwhile: %v", err)
			}
			waiting := make(chan error, 1)
			go func() { waiting <- n.listOf(t, "large") }()
			synctest.Wait()
			if end == "read" {
				if err := s.RecvMsg(new(schedulerv1.ListJobsResponse)); err != nil {
					t.Error(err)
				}
			}
			cancel()
			if err := <-waiting; err != nil {
				t.Errorf("when it is %s, one that waited gets %v", end, err)
			}
		}
	})
}

func TestSingleListNeverWaits(t *testing.T) {
	fits := false
	for mib := int64(16); mib <= 36; mib += 4 {
		synctest.Test(t, func(t *testing.T) {
			n := runLists(t, mib)
			began := time.Now()
			err := n.listOf(t, "large")
			if waited := time.Since(began); waited > 0 || fits && err != nil {
				t.Errorf("with %d MiB a list of 20 MB that is alone gets %v after %v; with less it fitted: %v", mib, err, waited, fits)
			}
			fits = fits || err == nil
		})
	}
	if !fits {
		t.Error("no list fits")
	}
}

func TestConcurrentListsComplete(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := runLists(t, 64)
		ended := make(chan error, 12)
		for i := range cap(ended) {
			go func() { ended <- n.listOf(t, []string{"large", "small"}[i%2]) }()
		}
		for range cap(ended) {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
	})
}

func TestListsThatFitOnlyAloneTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := runLists(t, 32)
		began := time.Now()
		ended := make(chan error, 4)
		for range cap(ended) {
			go func() { ended <- n.listOf(t, "large") }()
		}
		for range cap(ended) {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
		if waited := time.Since(began); waited > 0 {
			t.Errorf("the lists waited %v for one another, want no timeout", waited)
		}
	})
}
