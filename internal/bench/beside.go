package bench

import (
	"context"
	"errors"
	"fmt"
	"time"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
)

// besideResult is what an app sees beside busy apps, or alone.
type besideResult struct {
	late        []Figure // of its jobs
	calls       callTimes
	busyRate    float64 // triggers per second of the busy apps while its jobs are due
	callingRate float64 // the same while it calls
	peakMemory  []float64
	endMemory   []float64 // of each node
	leasesLost  int64     // leases
	jobs        Count     // its own
	busyJobs    Count     // those of the busy apps
}

// results returns the two rows of a load. The results before and after are of the app alone.
func (s besideResult) results(what string, before, after besideResult) []RowResult {
	calls, p99 := s.calls.figures()
	callCount := s.calls.count.plus(s.busyJobs)
	calls = append(calls, Figure{"busy apps meanwhile", s.callingRate, "/s"})
	var notes []string
	if s.calls.retries > 0 {
		notes = append(notes, fmt.Sprintf("%d calls were refused and repeated", s.calls.retries))
	}
	if s.calls.timedOut > 0 {
		notes = append(notes, fmt.Sprintf("%d calls timed out", s.calls.timedOut))
	}
	lateCount := s.jobs.plus(before.jobs).plus(after.jobs)
	details := []Figure{s.late[0], s.late[2], {"busy apps", s.busyRate, "/s"}}
	for i := range s.peakMemory {
		details = append(details, Figure{fmt.Sprintf("node %d peak memory", i+1), s.peakMemory[i], "B"}, Figure{"final memory", s.endMemory[i], "B"})
	}
	if len(s.peakMemory) > 1 {
		details = append(details, Figure{"leases lost", float64(s.leasesLost), ""})
	}
	alone := mean(before.late[1].Value, after.late[1].Value)
	return []RowResult{
		{
			Row: 20, Measure: what + ": calls of another, p99", Value: p99, Unit: "ms", Threshold: atMost(100, 50), Count: &callCount,
			Detail: calls, Notes: notes,
		},
		{
			Row: 20, Measure: what + ": lateness of another, p99", Value: s.late[1].Value, Unit: "ms", Threshold: atMost(1.5, 1.1),
			Baseline: &Baseline{Name: "alone", Value: alone, Values: []float64{before.late[1].Value, after.late[1].Value}},
			Ratio:    s.late[1].Value / alone, Count: &lateCount, Detail: details,
		},
	}
}

// besideBusy measures an app while that many others are busy. It schedules all jobs beforehand.
// Without busy apps, it measures only the lateness.
func (b *bench) besideBusy(ctx context.Context, t *measuredServer, nodes []*child, load busyLoad, apps int) (s besideResult, err error) {
	b.progress("scheduling")
	jobs := int(b.cfg.Sizes.Overload / jobInterval)
	if apps > 0 {
		jobs += b.cfg.Sizes.Busy
	}
	var lead time.Duration
	err = retryUntilRecovered(ctx, func() (err error) { // the server may still work off the last load
		lead, err = b.leadTime(ctx, t, jobs)
		return err
	})
	if err != nil {
		return besideResult{}, err
	}
	err = inTime(lead, func(lead time.Duration) error {
		s, err = b.besideBusyIn(ctx, t, nodes, load, apps, time.Now().Add(lead))
		return err
	})
	return s, err
}

// besideBusyIn is besideBusy with apps that are busy from the instant due on. The first job of the
// measured app is due a little later.
func (b *bench) besideBusyIn(
	ctx context.Context, t *measuredServer, nodes []*child, load busyLoad, apps int, due time.Time,
) (s besideResult, err error) {
	begin := due
	if apps > 0 {
		begin = due.Add(margin(b.cfg.Sizes) + period/2) // between two due instants of the busy apps
	}
	p := atInterval(int(b.cfg.Sizes.Overload/jobInterval), begin)
	app, calls, l := b.newApp(), b.newApp(), newLedger(p.jobs)
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
			err = retryUntilRecovered(ctx, func() error { return b.fillBusy(ctx, t, load, busy.cfg) })
		}
		if err == nil && time.Now().After(due) {
			err = errors.Join(errTooSlow, t.deleteJobs(ctx, app))
		}
		if err != nil {
			return err
		}
		return b.measureBeside(ctx, t, l, calls, begin, busy, &s)
	})
	s.peakMemory, s.endMemory, s.leasesLost = memory.read()
	if busy != nil {
		err = errors.Join(err, busy.child.stop(), s.calls.countLeft(ctx, t, calls))
		for i := range apps {
			err = errors.Join(err, retryUntilRecovered(ctx, func() error { return t.deleteJobs(ctx, busy.cfg.ID(i)) }))
		}
	}
	s.late, s.jobs = spread("late", l.lateness(p)), l.count(p)
	return s, err
}

// measureBeside writes the measures to s. The ledger l gets the triggers of the measured app, whose
// first job is due at begin. The app with the ID calls makes the calls.
func (b *bench) measureBeside(ctx context.Context, t *measuredServer, l *ledger, calls string, begin time.Time, busy *runningApps, s *besideResult) error {
	b.progress("waiting for each to be due")
	if err := until(ctx, begin); err != nil {
		return err
	}
	var tallies []Received
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
		s.calls, err = b.callInLoops(ctx, t, calls, time.Now().Add(b.cfg.Sizes.Overload))
	}
	if err = errors.Join(err, tally()); err != nil {
		return err
	}
	s.busyRate, s.callingRate = rate(tallies[0], tallies[1]), rate(tallies[2], tallies[3])
	for begin := time.Now(); tallies[len(tallies)-1].Jobs < busy.cfg.Jobs && time.Since(begin) < b.cfg.Sizes.Patience; {
		if err := errors.Join(until(ctx, time.Now().Add(100*time.Millisecond)), tally()); err != nil {
			return err
		}
	}
	s.busyJobs = tallies[len(tallies)-1].count(busy.cfg.Jobs)
	return nil
}
