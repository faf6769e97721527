package etcdstore_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"carillon/internal/engine"
	"carillon/internal/job"
	"carillon/internal/store/etcdmember/etcdtest"
	"carillon/internal/store/etcdstore"
	"carillon/internal/when"
)

// A counter counts what is delivered, and handles it.
type counter struct{ n atomic.Int32 }

func (c *counter) Deliver(_ job.Trigger, done func(job.Outcome), _ func(int)) bool {
	c.n.Add(1)
	go done(job.Handled)
	return true
}

func TestJobsOfAllYearsAreKept(t *testing.T) {
	s := open(t, etcdstore.Config{Endpoints: run(t, etcdtest.Config(t))})
	target := job.Target{Kind: job.App, Namespace: "ns", Name: "app"}
	event := job.Key{Target: target, Name: "event"}
	var app counter
	for restarts := range 2 {
		e := engine.New(engine.Config{}, s, &app, logTo(t))
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- e.Run(ctx) }()
		for name, due := range map[string]time.Time{"event": time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC), "past": {}} {
			if err := e.Schedule(ctx, job.Key{Target: target, Name: name}, job.Spec{Plan: when.Plan{First: due}}, true); err != nil {
				t.Fatal(err)
			}
		}
		for deadline := time.Now().Add(time.Minute); int(app.n.Load()) <= restarts && time.Now().Before(deadline); {
			time.Sleep(10 * time.Millisecond)
		}
		stop()
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
		if got := int(app.n.Load()); got != restarts+1 {
			t.Errorf("%d triggers came, want %d: of the past job alone", got, restarts+1)
		}
	}
	e := engine.New(engine.Config{}, s, &app, logTo(t))
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- e.Run(ctx) }()
	for item, err := range e.List(ctx, job.Prefix{Kind: job.App, Namespace: "ns", Parts: []string{"app"}}) {
		if err != nil || item.Key != event || item.Spec.Plan.First.Year() != 9999 {
			t.Errorf("the list has %+v, %v, want the event alone", item, err)
		}
	}
	if err := e.Delete(ctx, event); err != nil {
		t.Error(err)
	}
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
}

func (*counter) Withdraw(job.Target, int) {}
