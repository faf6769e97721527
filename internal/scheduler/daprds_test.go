package scheduler_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"

	"carillon/internal/dispatch"
	"carillon/internal/job"
)

// A debtor owes each of its triggers until it is handled. It redelivers lost and refused ones at
// once, and failed ones a second later.
type debtor struct {
	t *testing.T
	d *dispatch.Dispatcher

	left sync.WaitGroup // that are not handled

	mu      sync.Mutex
	handled map[string]int
	out     map[string]bool
}

func (o *debtor) owe(trig job.Trigger) {
	name := trig.Key.Name
	o.mu.Lock()
	if o.out[name] {
		o.t.Errorf("%s is delivered while it is in flight", name)
	}
	o.out[name] = true
	o.mu.Unlock()
	o.d.Deliver(trig, func(outcome job.Outcome) {
		o.back(name, outcome == job.Handled)
		switch outcome {
		case job.Handled:
			o.left.Done()
		case job.Lost:
			o.owe(trig)
		default:
			time.AfterFunc(time.Second, func() { o.owe(trig) })
		}
	}, func(int) {
		o.back(name, false)
		o.owe(trig)
	})
}

// back notes that a trigger is not out any more.
func (o *debtor) back(name string, handled bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.out[name] = false
	if handled {
		o.handled[name]++
	}
}

// Two hosts, three streams each, that break now and then, and apps that answer late, in any order,
// twice, wrongly or not at all: every trigger is handled in the end, exactly once for us and at
// least once for the app.
func TestTriggersAreHandledDespiteSidecarFaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const triggers = 600
		n := run(t)
		seen := make(map[string]int)
		app := moody(5*time.Second, seen)
		ctx, stop := context.WithCancel(t.Context())
		var hosts sync.WaitGroup
		for range 2 {
			initial := hello("ns", "app", "T")
			initial.ConcurrencyLimits = []*schedulerv1.ConcurrencyLimit{limitOf(nil, 10), limitOf(new("0"), 3)}
			d := &daprd{client: n, hello: initial, life: 30 * time.Second, app: app}
			hosts.Go(func() { d.run(ctx) })
		}

		o := &debtor{t: t, d: n.dispatch, handled: make(map[string]int), out: make(map[string]bool)}
		o.left.Add(triggers)
		for i := range triggers {
			trig := job.Trigger{Key: job.Key{Target: appTarget("ns", "app"), Name: fmt.Sprint(i)}, Partition: i, AppID: "app"}
			if i%2 == 0 {
				trig.Key.Target, trig.Key.ActorID = actorTarget("ns", "T"), "id"
				trig.ConcurrencyKey = new(fmt.Sprint(i % 3))
			}
			o.owe(trig)
		}
		o.left.Wait()
		stop()
		hosts.Wait()
		for i := range triggers {
			if name := fmt.Sprint(i); o.handled[name] != 1 || seen[name] == 0 {
				t.Errorf("%s was handled %d times and seen %d times", name, o.handled[name], seen[name])
			}
		}
		synctest.Wait()
		if got := n.dispatch.Stats(); got.InFlight != 0 || got.Held != 0 || got.Waiting != 0 || got.Ignored == 0 {
			t.Errorf("in the end: %+v, want nothing but ignored results", got)
		}
	})
}
