package scheduler_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/anypb"

	"carillon/internal/scheduler"
)

// TestUnreadLargeJobsAreBounded has a client ask for a large job again and again, and read nothing
// of it.
func TestUnreadLargeJobsAreBounded(t *testing.T) {
	const asked, size, listBytes = 64, 1 << 20, 16 << 20
	n := runWith(t, func(c *scheduler.Config, _ *memory) { c.MaxListBytes = listBytes })
	target := &schedulerv1.JobTargetMetadata{Type: &schedulerv1.JobTargetMetadata_Job{Job: new(schedulerv1.TargetJob)}}
	meta := &schedulerv1.JobMetadata{AppId: "a", Namespace: "ns", Target: target}
	in := "1h"
	for name, bytes := range map[string]int{"large": size, "small": 10} {
		data := &anypb.Any{Value: []byte(strings.Repeat("x", bytes))}
		if _, err := n.ScheduleJob(t.Context(), &schedulerv1.ScheduleJobRequest{
			Name: name, Job: &schedulerv1.Job{DueTime: &in, Data: data}, Metadata: meta,
		}); err != nil {
			t.Fatal(err)
		}
	}
	// Answers that do not fit into the window of a connection wait in the server.
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	unread := n.client(t, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithStaticStreamWindowSize(64<<10), grpc.WithStaticConnWindowSize(64<<10))
	defer unread.Close()
	var waiting []grpc.ClientStream
	for range asked {
		s, err := unread.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, schedulerv1.Scheduler_GetJob_FullMethodName)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.SendMsg(&schedulerv1.GetJobRequest{Name: "large", Metadata: meta}); err != nil {
			t.Fatal(err)
		}
		if err := s.CloseSend(); err != nil {
			t.Fatal(err)
		}
		waiting = append(waiting, s)
	}
	refused := 0
	var mu sync.Mutex
	var calls sync.WaitGroup
	for range 32 {
		calls.Go(func() {
			if _, err := n.GetJob(ctx, &schedulerv1.GetJobRequest{Name: "small", Metadata: meta}); err != nil {
				t.Errorf("a small job: %v", err)
			}
			_, err := n.GetJob(ctx, &schedulerv1.GetJobRequest{Name: "large", Metadata: meta})
			if status.Code(err) == codes.ResourceExhausted {
				mu.Lock()
				refused++
				mu.Unlock()
			}
		})
	}
	calls.Wait()
	if refused == 0 {
		t.Error("no call was refused, want some beyond what is waiting to be read")
	}
	for _, s := range waiting { // refused ones, and those read now
		_ = s.RecvMsg(new(schedulerv1.GetJobResponse))
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		_, err := n.GetJob(ctx, &schedulerv1.GetJobRequest{Name: "large", Metadata: meta})
		if err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("after all was read a large job: %v", err)
		}
	}
}
