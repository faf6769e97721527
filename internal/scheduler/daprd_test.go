package scheduler_test

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"google.golang.org/protobuf/proto"

	"carillon/internal/job"
	"carillon/internal/wire"
)

// A daprd behaves like Dapr's sidecar on its streams: it opens three to each scheduler, all with
// the same first message, answers triggers in the order in which its app is done with them, and
// connects again 250 to 750 ms after a stream has ended, for whatever reason. It needs nothing but
// a client, whatever stands behind it.
type daprd struct {
	client schedulerv1.SchedulerClient
	hello  *schedulerv1.WatchJobsRequestInitial
	// life is how long a stream lives, about; 0: until the scheduler ends it.
	life time.Duration
	// app returns the answer to a trigger. It is called concurrently.
	app func(*schedulerv1.WatchJobsResponse) answer
}

// An answer is the answer of an app to a trigger.
type answer struct {
	after time.Duration
	as    job.Outcome
	times int // none: the app hangs
}

// moody returns an app that takes up to longest, and answers twice, with a failure, or never, now
// and then. It counts in seen what it is given.
func moody(longest time.Duration, seen map[string]int) func(*schedulerv1.WatchJobsResponse) answer {
	var mu sync.Mutex // guards seen
	return func(m *schedulerv1.WatchJobsResponse) answer {
		mu.Lock()
		defer mu.Unlock()
		seen[m.GetName()]++
		a := answer{after: rand.N(longest), as: job.Handled, times: 1}
		switch rand.IntN(8) {
		case 0:
			a.times = 0
		case 1:
			a.times = 2
		case 2:
			a.as = job.Failed
		}
		return a
	}
}

// run is a daprd until ctx ends. When it returns, nothing of it is left.
func (s *daprd) run(ctx context.Context) {
	var streams sync.WaitGroup
	for range 3 {
		streams.Go(func() {
			for ctx.Err() == nil {
				s.stream(ctx)
				pause(ctx, 250*time.Millisecond+rand.N(500*time.Millisecond))
			}
		})
	}
	streams.Wait()
}

// stream is one stream from its first message to its end.
func (s *daprd) stream(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	var apps sync.WaitGroup
	defer apps.Wait()
	defer cancel()
	if s.life > 0 {
		defer time.AfterFunc(s.life/2+rand.N(s.life), cancel).Stop()
	}
	stream, err := s.client.WatchJobs(ctx)
	if err != nil {
		return
	}
	first := &schedulerv1.WatchJobsRequest_Initial{Initial: proto.CloneOf(s.hello)}
	if stream.Send(&schedulerv1.WatchJobsRequest{WatchJobRequestType: first}) != nil {
		return
	}
	var sending sync.Mutex
	for {
		m, err := stream.Recv()
		if err != nil {
			return
		}
		apps.Go(func() {
			a := s.app(m)
			pause(ctx, a.after)
			sending.Lock()
			defer sending.Unlock()
			for range a.times {
				if stream.Send(wire.Result(m.GetId(), a.as)) != nil {
					return
				}
			}
		})
	}
}

// pause waits that long, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	<-ctx.Done()
}
