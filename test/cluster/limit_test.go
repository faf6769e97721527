//go:build linux

package cluster

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
)

const limitedType = "T"

func reminderOf(id string) *schedulerv1.JobMetadata {
	return &schedulerv1.JobMetadata{
		AppId: "one", Namespace: namespace,
		Target: &schedulerv1.JobTargetMetadata{Type: &schedulerv1.JobTargetMetadata_Actor{
			Actor: &schedulerv1.TargetActorReminder{Type: limitedType, Id: id},
		}},
	}
}

// hold connects a stream to a node that limits the reminders of an actor type, and answers none. It counts what comes.
func (c *cluster) hold(n *node, most int32) *atomic.Int32 {
	c.t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(c.t.Context()))
	stream, err := c.on(n.address()).WatchJobs(ctx)
	if err == nil {
		err = stream.Send(&schedulerv1.WatchJobsRequest{WatchJobRequestType: &schedulerv1.WatchJobsRequest_Initial{
			Initial: &schedulerv1.WatchJobsRequestInitial{
				AppId: "one", Namespace: namespace, ActorTypes: []string{limitedType},
				ConcurrencyLimits: []*schedulerv1.ConcurrencyLimit{{
					MaxConcurrent: most, Target: &schedulerv1.ConcurrencyLimit_Actor{Actor: &schedulerv1.ConcurrencyLimitActor{Type: limitedType}},
				}},
			},
		}})
	}
	if err != nil {
		c.t.Fatal(err)
	}
	got, ended := new(atomic.Int32), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			if _, err := stream.Recv(); err != nil {
				return
			}
			got.Add(1)
		}
	}()
	c.t.Cleanup(func() { cancel(); <-ended })
	return got
}

func TestNodesShareConcurrencyLimit(t *testing.T) {
	const limit, jobs = 6, 60
	c := newCluster(t, 3)
	a, b, z := c.nodes[0], c.nodes[1], c.nodes[2]
	atA, atB, atZ := c.hold(a, limit), c.hold(b, limit), c.hold(z, limit)
	eventually(t, "all reminders are scheduled", func(ctx context.Context) error {
		for i := range jobs {
			_, err := c.on(a.address()).ScheduleJob(ctx, &schedulerv1.ScheduleJobRequest{
				Name: "r", Metadata: reminderOf(fmt.Sprint(i)), Job: &schedulerv1.Job{DueTime: new("0s")}, Overwrite: true,
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	out := func() [3]int32 { return [3]int32{atA.Load(), atB.Load(), atZ.Load()} }
	want := func(what string, want [3]int32) {
		t.Helper()
		eventually(t, what, func(context.Context) error {
			if got := out(); got != want {
				return fmt.Errorf("%v are in flight on the nodes, want %v", got, want)
			}
			return nil
		})
		time.Sleep(time.Second) // in which no more may come
		if got := out(); got != want {
			t.Errorf("%s: then %v are in flight on the nodes, want %v", what, got, want)
		}
	}
	want("three nodes have a third each", [3]int32{2, 2, 2})
	z.stop()
	want("two nodes have a half each, at streams that were open", [3]int32{3, 3, 2})
}
