package bench

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	commonv1 "github.com/dapr/dapr/pkg/proto/common/v1"
	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"google.golang.org/protobuf/types/known/durationpb"
)

// manyApps is how many apps share an overload where it is not all of one app.
const manyApps = 50

// busyLoad is jobs that are due more often than the server can deliver them.
type busyLoad struct {
	name   string
	every  string // how often each job is due; once if it is empty
	answer string // what the apps answer
}

// overloads returns the loads of row 20. A job that failed is tried again after retryInterval, without an end.
func busyLoads() []busyLoad {
	return []busyLoad{
		{"jobs at @every 1s", "@every 1s", AnswerSuccess},
		{"jobs at @every 100ms", "@every 100ms", AnswerSuccess},
		{"jobs that fail, tried again after 10 ms", "", AnswerFailed},
	}
}

const retryInterval = 10 * time.Millisecond

// overload measures what apps with more work than the server can do cost another app: row 20.
func (b *bench) overload(ctx context.Context) ([]RowResult, error) {
	return b.eachOverload(ctx, func(measure func(t *target, nodes []*child) error) error {
		_, err := b.with(ctx, func(t *target) ([]RowResult, error) {
			var nodes []*child
			if t.child != nil {
				nodes = append(nodes, t.child)
			}
			return nil, measure(t, nodes)
		})
		return err
	})
}

// overloadAcross is overload of several nodes.
func (b *bench) overloadAcross(ctx context.Context) ([]RowResult, error) {
	return b.eachOverload(ctx, func(measure func(t *target, nodes []*child) error) (err error) {
		f, err := b.fleet(ctx)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, f.stop()) }()
		var nodes []*child
		for _, n := range f.nodes {
			nodes = append(nodes, n.child)
		}
		return measure(&target{client: f.client}, nodes)
	})
}

// eachOverload takes the measures of row 20, of each load on a new server, with which on calls its argument. A load that
// cannot be measured does not keep the others from it.
func (b *bench) eachOverload(
	ctx context.Context, on func(measure func(t *target, nodes []*child) error) error,
) (results []RowResult, err error) {
	for _, load := range busyLoads() {
		err := on(func(t *target, nodes []*child) error {
			found, err := b.overloaded(ctx, t, nodes, load)
			results = append(results, found...)
			return err
		})
		if err != nil {
			results = append(results, RowResult{Row: 20, Measure: load.name, Error: err.Error()})
		}
	}
	return results, ctx.Err()
}

// overloaded takes the measures of one load: of one app, and then of many.
func (b *bench) overloaded(ctx context.Context, t *target, nodes []*child, load busyLoad) (results []RowResult, err error) {
	var sides []side
	for _, apps := range []int{0, 1, manyApps, 0} {
		s, err := b.besideBusy(ctx, t, nodes, load, apps)
		if err != nil {
			return nil, fmt.Errorf("%d apps: %w", apps, err)
		}
		sides = append(sides, s)
	}
	for i, apps := range []string{"one app", fmt.Sprintf("%d apps", manyApps)} {
		what := fmt.Sprintf("%s %s of %s", format(float64(b.cfg.Sizes.Busy), ""), load.name, apps)
		results = append(results, sides[i+1].results(what, sides[0], sides[3])...)
	}
	return results, nil
}

// A side is what an app sees beside busy apps, or alone.
type side struct {
	late     []Figure // of its jobs
	calls    callTimes
	busy     float64 // triggers a second of the busy apps while its jobs are due
	besides  float64 // while it calls
	highest  []float64
	settled  []float64 // memory of each node in the end
	lost     int64     // leases
	jobs     Count     // its own
	occupied Count     // those of the busy apps
}

// results returns the two lines of a load.
func (s side) results(what string, before, after side) []RowResult {
	calls, p99 := s.calls.figures()
	callCount := s.calls.count.plus(s.occupied)
	calls = append(calls, Figure{"busy apps meanwhile", s.besides, "/s"})
	var notes []string
	if s.calls.again > 0 {
		notes = append(notes, fmt.Sprintf("%d calls were refused and made again", s.calls.again))
	}
	if s.calls.unanswered > 0 {
		notes = append(notes, fmt.Sprintf("%d calls were given up", s.calls.unanswered))
	}
	lateCount := s.jobs.plus(before.jobs).plus(after.jobs)
	details := []Figure{s.late[0], s.late[2], {"busy apps", s.busy, "/s"}}
	for i := range s.highest {
		details = append(details, Figure{fmt.Sprintf("node %d memory highest", i+1), s.highest[i], "B"}, Figure{"in the end", s.settled[i], "B"})
	}
	if len(s.highest) > 1 {
		details = append(details, Figure{"leases lost", float64(s.lost), ""})
	}
	alone := mean(before.late[1].Value, after.late[1].Value)
	return []RowResult{
		{
			Row: 20, Measure: what + ": calls of another, p99", Value: p99, Unit: "ms", Bar: atMost(100, 50), Count: &callCount,
			Detail: calls, Notes: notes,
		},
		{
			Row: 20, Measure: what + ": lateness of another, p99", Value: s.late[1].Value, Unit: "ms", Bar: atMost(1.5, 1.1),
			Null:  &Null{Name: "alone", Value: alone, Values: []float64{before.late[1].Value, after.late[1].Value}},
			Ratio: s.late[1].Value / alone, Count: &lateCount, Detail: details,
		},
	}
}

// besideBusy measures an app while that many others are busy. All jobs are scheduled beforehand. With no busy apps,
// only the lateness is measured.
func (b *bench) besideBusy(ctx context.Context, t *target, nodes []*child, load busyLoad, apps int) (s side, err error) {
	b.progress("scheduling")
	jobs := int(b.cfg.Sizes.Overload / pace)
	if apps > 0 {
		jobs += b.cfg.Sizes.Busy
	}
	var lead time.Duration
	err = patiently(ctx, func() (err error) { // the server may not be over the last load
		lead, err = b.lead(ctx, t, jobs)
		return err
	})
	if err != nil {
		return side{}, err
	}
	err = inTime(lead, func(lead time.Duration) error {
		s, err = b.besideBusyIn(ctx, t, nodes, load, apps, time.Now().Add(lead))
		return err
	})
	return s, err
}

// besideBusyIn is besideBusy with apps that are busy from the instant due on. The first job of the other is due a moment
// later.
func (b *bench) besideBusyIn(
	ctx context.Context, t *target, nodes []*child, load busyLoad, apps int, due time.Time,
) (s side, err error) {
	begin := due
	if apps > 0 {
		begin = due.Add(margin(b.cfg.Sizes) + period/2) // between two due instants of the busy apps
	}
	p := steady(int(b.cfg.Sizes.Overload/pace), begin)
	app, calls, l := b.app(), b.app(), newLedger(p.jobs)
	busy, err := b.serveBusy(ctx, t, load, apps, due)
	if err != nil {
		return s, err
	}
	memory := watchMemory(nodes)
	defer memory.stop()
	err = b.receive(ctx, t, app, l, func(ctx context.Context) error {
		err := b.fillWith(ctx, t, app, 0, p.jobs, func(r *schedulerv1.ScheduleJobRequest, i int) {
			r.Job.DueTime = new(instant(p.due(i, 0)))
		})
		if err == nil && apps > 0 {
			err = patiently(ctx, func() error { return b.fillBusy(ctx, t, load, busy.cfg) })
		}
		if err == nil && time.Now().After(due) {
			err = errors.Join(errTooSlow, t.forget(ctx, app))
		}
		if err != nil {
			return err
		}
		return b.lookAt(ctx, t, l, calls, begin, busy, &s)
	})
	s.highest, s.settled, s.lost = memory.read()
	if busy != nil {
		err = errors.Join(err, busy.child.stop(), s.calls.countLeft(ctx, t, calls))
		for i := range apps {
			err = errors.Join(err, patiently(ctx, func() error { return t.forget(ctx, busy.cfg.ID(i)) }))
		}
	}
	s.late, s.jobs = spread("late", l.lateness(p)), l.count(p)
	return s, err
}

// lookAt takes the measures into s. The first job whose triggers come to l is due at begin. Calls are of the app of that
// name.
func (b *bench) lookAt(ctx context.Context, t *target, l *ledger, calls string, begin time.Time, busy *busyApps, s *side) error {
	b.progress("waiting for each to be due")
	if err := until(ctx, begin); err != nil {
		return err
	}
	var tallies []Tally
	tally := func() error {
		if busy == nil {
			return nil
		}
		now, err := busy.tally(ctx)
		tallies = append(tallies, now)
		return err
	}
	if err := errors.Join(tally(), until(ctx, begin.Add(b.cfg.Sizes.Overload)), tally()); err != nil {
		return err
	}
	if err := l.wait(ctx, time.Now(), b.cfg.Sizes.Patience); err != nil {
		return err
	}
	if err := until(ctx, time.Now().Add(b.cfg.Sizes.Linger)); err != nil || busy == nil {
		return err
	}
	b.progress("calling")
	err := tally()
	if err == nil {
		s.calls, err = b.callInTurn(ctx, t, calls, time.Now().Add(b.cfg.Sizes.Overload))
	}
	if err = errors.Join(err, tally()); err != nil {
		return err
	}
	s.busy, s.besides = rate(tallies[0], tallies[1]), rate(tallies[2], tallies[3])
	for begin := time.Now(); tallies[len(tallies)-1].Jobs < busy.cfg.Jobs && time.Since(begin) < b.cfg.Sizes.Patience; {
		if err := errors.Join(until(ctx, time.Now().Add(100*time.Millisecond)), tally()); err != nil {
			return err
		}
	}
	s.occupied = tallies[len(tallies)-1].count(busy.cfg.Jobs)
	return nil
}

// serveBusy starts the busy apps; it returns nil if there are none.
func (b *bench) serveBusy(ctx context.Context, t *target, load busyLoad, apps int, due time.Time) (*busyApps, error) {
	if apps == 0 {
		return nil, nil //nolint:nilnil // there are none
	}
	return b.serveApps(ctx, AppsConfig{
		Schedulers: t.servers, Prefix: b.app(), Apps: apps, Jobs: b.cfg.Sizes.Busy, Due: due.Truncate(time.Millisecond), Answer: load.answer,
	})
}

// fillBusy schedules the jobs of the busy apps, all of which are due first at the same instant.
func (b *bench) fillBusy(ctx context.Context, t *target, load busyLoad, cfg AppsConfig) error {
	of := make([]*schedulerv1.JobMetadata, cfg.Apps)
	for i := range of {
		of[i] = meta(cfg.ID(i))
	}
	due := instant(cfg.Due)
	var retry *commonv1.JobFailurePolicy
	if load.answer == AnswerFailed {
		retry = &commonv1.JobFailurePolicy{Policy: &commonv1.JobFailurePolicy_Constant{
			Constant: &commonv1.JobFailurePolicyConstant{Interval: durationpb.New(retryInterval)},
		}}
	}
	return b.fillWith(ctx, t, cfg.Prefix, 0, cfg.Jobs, func(r *schedulerv1.ScheduleJobRequest, i int) {
		r.Metadata, r.Overwrite = of[i%cfg.Apps], true
		r.Job.DueTime, r.Job.FailurePolicy = &due, retry
		if load.every != "" {
			r.Job.Schedule = &load.every
		}
	})
}

// recovery is how long a server may take until it does what it is asked for after an overload.
const recovery = 2 * time.Minute

// patiently calls f until it returns nil or the time for a recovery is over.
func patiently(ctx context.Context, f func() error) error {
	for begin := time.Now(); ; {
		err := f()
		if err == nil || time.Since(begin) > recovery {
			return err
		}
		if err := until(ctx, time.Now().Add(100*time.Millisecond)); err != nil {
			return err
		}
	}
}

// A memoryWatch reads the memory of nodes again and again.
type memoryWatch struct {
	nodes   []*child
	highest []float64
	lost    int64 // leases, when it began
	end     func()
}

// watchMemory reads it until it is read or stopped.
func watchMemory(nodes []*child) *memoryWatch {
	w := &memoryWatch{nodes: nodes, highest: make([]float64, len(nodes))}
	w.lost = w.leases()
	done, ended := make(chan struct{}), make(chan struct{})
	w.end = sync.OnceFunc(func() {
		close(done)
		<-ended
	})
	go func() {
		defer close(ended)
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			for i, n := range w.nodes {
				w.highest[i] = max(w.highest[i], n.process().rss())
			}
			select {
			case <-done:
				return
			case <-tick.C:
			}
		}
	}()
	return w
}

func (w *memoryWatch) stop() { w.end() }

// read stops w, and returns the highest memory and the present one of each node, and how many leases were lost.
func (w *memoryWatch) read() (highest, now []float64, lost int64) {
	w.end()
	for _, n := range w.nodes {
		now = append(now, n.process().rss())
	}
	return w.highest, now, w.leases() - w.lost
}

// leases returns how many leases the nodes have lost so far.
func (w *memoryWatch) leases() (n int64) {
	for _, c := range w.nodes {
		n += c.lost.Load()
	}
	return n
}

// overloadTakes is how long row 20 takes.
func overloadTakes(s Sizes) time.Duration {
	alone := 3*time.Second + s.Overload + s.Linger
	beside := 5*time.Second + 2*s.Overload + s.Linger + 2*each(s.Busy)
	return 4*alone + 6*beside
}
