package bench

import (
	"context"
	"errors"
	"fmt"
	"time"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
)

// burst measures how fast jobs that are due at one instant are delivered and settled: row 4.
func (b *bench) burst(ctx context.Context) ([]RowResult, error) {
	return b.with(ctx, func(t *target) ([]RowResult, error) {
		var total blast
		var costs []float64
		s, err := b.between(ctx, b.stream, func(ctx context.Context) (float64, error) {
			one, err := b.blast(ctx, t, b.cfg.Sizes.Burst)
			costs = append(costs, one.cost)
			total.add(one)
			return one.settled, err
		})
		if err != nil {
			return nil, err
		}
		r := s.into(RowResult{
			Row: 4, Measure: fmt.Sprintf("burst of %s, delivered and settled", format(float64(b.cfg.Sizes.Burst), "")),
			Unit: "/s", Bar: atLeast(0.4, 0.6), Count: &total.count,
			Detail: append(spread("late", total.late), Figure{"delivered", total.delivered, "/s"}, Figure{"server CPU", median(costs), "µs"}),
		}, "stream echo")
		return []RowResult{r}, nil
	})
}

// stream has the null send as many triggers as a burst has, and returns how many of them a second were answered.
func (b *bench) stream(ctx context.Context) (float64, error) {
	b.progress("stream echo")
	echo, err := b.unary(ctx, NullEcho)
	if err != nil {
		return 0, err
	}
	defer func() { _ = echo.close() }()
	var rate float64
	for _, n := range []int{1, b.cfg.Sizes.Burst} { // the first opens the connection
		begin, got := time.Now(), 0
		err := echo.watch(withTriggers(ctx, n, b.cfg.Payload), "null", func(string, time.Time) bool {
			got++
			return true
		})
		if err != nil {
			return 0, err
		}
		if got != n {
			return 0, fmt.Errorf("the null sent %d of %d triggers", got, n)
		}
		rate = float64(n) / time.Since(begin).Seconds()
	}
	return rate, nil
}

// blast is the result of jobs with one due instant.
type blast struct {
	delivered, settled float64 // a second, from the due instant
	cost               float64 // of the server for each, in microseconds
	late               []time.Duration
	count              Count
}

// add adds what another has seen to b; the slowest stands for all.
func (b *blast) add(o blast) {
	if b.delivered == 0 || o.delivered < b.delivered {
		b.delivered = o.delivered
	}
	b.late = append(b.late, o.late...)
	b.count = b.count.plus(o.count)
}

// blast schedules a burst of n jobs, receives it and waits until nothing of it is stored any more.
func (b *bench) blast(ctx context.Context, t *target, n int) (blast, error) {
	b.progress("scheduling a burst")
	lead, err := b.lead(ctx, t, n)
	if err != nil {
		return blast{}, err
	}
	var result blast
	err = inTime(lead, func(lead time.Duration) error {
		result, err = b.blastIn(ctx, t, n, lead)
		return err
	})
	return result, err
}

// blastIn is blast with jobs that are due after the lead.
func (b *bench) blastIn(ctx context.Context, t *target, n int, lead time.Duration) (blast, error) {
	app := b.app()
	due := time.Now().Add(lead).Truncate(time.Millisecond)
	l := newLedger(n)
	var result blast
	err := b.receive(ctx, t, app, l, func(ctx context.Context) error {
		err := b.fill(ctx, t, app, instant(due), n)
		if err == nil && time.Now().After(due) {
			err = errors.Join(errTooSlow, t.forget(ctx, app))
		}
		if err != nil {
			return err
		}
		result, err = b.await(ctx, t, app, due, l)
		return err
	})
	return result, err
}

// errTooSlow means that jobs were due before all of them were scheduled: their lateness cannot be
// measured.
var errTooSlow = errors.New("scheduling took longer than a trial of it had promised, three times")

// inTime calls f with a lead. If that was too short, it doubles the lead, three times at most.
func inTime(lead time.Duration, f func(lead time.Duration) error) error {
	err := f(lead)
	for tries := 1; tries < 3 && errors.Is(err, errTooSlow); tries++ {
		lead *= 2
		err = f(lead)
	}
	return err
}

// margin is by how much a lead is longer than what it is for should take.
func margin(s Sizes) time.Duration { return min(2*s.Linger, time.Second) }

// lead returns how long before their due instant scheduling n jobs must begin.
func (b *bench) lead(ctx context.Context, t *target, n int) (time.Duration, error) {
	app, trial := b.app(), max(n/20, 1)
	begin := time.Now()
	if err := b.fill(ctx, t, app, far, trial); err != nil {
		return 0, err
	}
	each := time.Since(begin) / time.Duration(trial)
	return margin(b.cfg.Sizes) + each*time.Duration(n)*3/2, t.forget(ctx, app)
}

// await receives a burst, and returns what became of it.
func (b *bench) await(ctx context.Context, t *target, app string, due time.Time, l *ledger) (blast, error) {
	b.progress("waiting for the burst")
	if err := until(ctx, due); err != nil {
		return blast{}, err
	}
	used := t.process.cpu()
	if err := l.wait(ctx, due, b.cfg.Sizes.Patience); err != nil {
		return blast{}, err
	}
	got, last := l.last()
	settled, err := b.settled(ctx, t, app, l.latest())
	if err != nil {
		return blast{}, err
	}
	used = t.process.cpu() - used
	if err := until(ctx, time.Now().Add(b.cfg.Sizes.Linger)); err != nil {
		return blast{}, err
	}
	p := plan{jobs: l.want, times: 1, due: func(int, int) time.Time { return due }}
	return blast{
		delivered: float64(got) / last.Sub(due).Seconds(),
		settled:   float64(got) / settled.Sub(due).Seconds(),
		cost:      in(time.Microsecond, used) / float64(max(got, 1)),
		late:      l.lateness(p),
		count:     l.count(p),
	}, nil
}

// settled waits until no job of the app is stored, and returns when that was. It gives up as patience does. It asks for
// the job that came last before it asks for all: listing what is left, over and over, would be work of its own.
func (b *bench) settled(ctx context.Context, t *target, app, last string) (time.Time, error) {
	begin := time.Now()
	for {
		left := 1
		stored, err := t.holds(ctx, app, last)
		if err == nil && !stored {
			var jobs []*schedulerv1.NamedJob
			jobs, err = t.list(ctx, app)
			left = len(jobs)
		}
		now := time.Now()
		if err != nil || left == 0 {
			return now, err
		}
		if now.Sub(begin) > b.cfg.Sizes.Patience {
			return now, fmt.Errorf("%d jobs or more are still stored, %v after the last was delivered", left, b.cfg.Sizes.Patience)
		}
		if err := until(ctx, now.Add(time.Millisecond)); err != nil {
			return now, err
		}
	}
}
