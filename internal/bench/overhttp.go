package bench

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"
)

// overHTTP measures scheduling through a sidecar, and bursts through it to an app: rows 12, 13 and
// 19.
func (b *bench) overHTTP(ctx context.Context) (results []RowResult, err error) {
	s, err := b.startSidecar(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	if b.cfg.wants(12) {
		if results, err = b.post(ctx, s); err != nil {
			return nil, err
		}
	}
	if b.cfg.wants(13) {
		burst, err := b.burstOverHTTP(ctx, s)
		if err != nil {
			return results, err
		}
		results = append(results, burst)
	}
	if b.cfg.wants(19) { // last: its jobs are not deleted
		batches, err := b.postBatches(ctx, s)
		if err != nil {
			return results, err
		}
		results = append(results, batches)
	}
	return results, nil
}

// post measures scheduling through a sidecar: row 12.
func (b *bench) post(ctx context.Context, s *sidecar) ([]RowResult, error) {
	baseline, err := b.baseline(ctx, BaselineHTTP)
	if err != nil {
		return nil, err
	}
	echo := httpCallers(b.cfg.Callers, baseline.matches[0])
	defer closeAll(echo)
	var costs, echoCosts []float64
	var count Count
	body := jobBody(farFuture, b.cfg.Payload)
	rates, err := b.between(ctx,
		func(ctx context.Context) (float64, error) {
			b.progress("HTTP echo")
			l, err := b.runLoad(ctx, baseline.process(), func(ctx context.Context, caller, n int) error {
				return echo[caller].post(ctx, strconv.Itoa(n), s.app, body)
			})
			echoCosts = append(echoCosts, l.cost())
			return l.rate(), err
		},
		func(ctx context.Context) (float64, error) {
			b.progress("schedule over HTTP")
			round := fmt.Sprintf("%s-%d", b.runID, len(costs))
			l, err := b.runLoad(ctx, s.process, func(ctx context.Context, caller, n int) error {
				return s.callers[caller].post(ctx, httpName(round, caller, n), s.app, body)
			})
			if err != nil {
				return 0, err
			}
			costs = append(costs, l.cost())
			b.progress("counting what is stored")
			found, err := b.countPresent(ctx, s, round, l)
			count = count.plus(found)
			return l.rate(), err
		})
	if err != nil {
		return nil, err
	}
	rate, cost := speed(atLeast(15_000, 25_000)), speed(atMost(110, 70))
	rate.Absolute = true
	return []RowResult{
		rates.result(RowResult{Row: 12, Measure: "sidecar, HTTP schedule", Unit: "/s", Threshold: rate, Count: &count}, "HTTP echo"),
		{
			Row: 12, Measure: "sidecar, CPU per HTTP schedule, with the scheduler's", Value: median(costs), Unit: "µs", Threshold: cost,
			Detail: []Figure{{"HTTP echo", mean(echoCosts...), "µs"}},
		},
	}, nil
}

func httpName(round string, caller, n int) string {
	return round + "-" + strconv.Itoa(caller) + "-" + strconv.Itoa(n)
}

// countPresent gets each acknowledged job, and counts those that exist.
func (b *bench) countPresent(ctx context.Context, s *sidecar, round string, l loadResult) (Count, error) {
	var found atomic.Int64
	err := b.inParallel(ctx, b.cfg.Callers, func(ctx context.Context, caller, i int) error {
		for n := range l.byCaller[i] {
			name := httpName(round, i, n)
			status, err := s.callers[caller].do(ctx, http.MethodGet, name, s.app, nil)
			if err == nil {
				err = s.cleanUp(ctx, caller, name)
			}
			if err != nil {
				return err
			}
			if status/100 == 2 {
				found.Add(1)
			}
		}
		return nil
	})
	return Count{Want: l.total, Distinct: int(found.Load()), Lost: l.total - int(found.Load())}, err
}

// burstOverHTTP measures a burst to an app over HTTP: row 13.
func (b *bench) burstOverHTTP(ctx context.Context, s *sidecar) (RowResult, error) {
	var rates, costs []float64
	var late []time.Duration
	var count Count
	for range b.cfg.Sizes.Rounds {
		one, err := b.runBurstOverHTTP(ctx, s)
		if err != nil {
			return RowResult{}, err
		}
		rates, costs = append(rates, one.delivered), append(costs, one.cost)
		late, count = append(late, one.late...), count.plus(one.count)
	}
	return RowResult{
		Row: 13, Measure: fmt.Sprintf("sidecar, burst of %s to an HTTP app", format(float64(b.cfg.Sizes.Burst), "")),
		Value: median(rates), Unit: "/s", Threshold: speed(atLeast(15_000, 25_000)), Count: &count,
		Detail: append(spread("late", late), Figure{"CPU of sidecar and scheduler", median(costs), "µs"}),
	}, nil
}

// runBurstOverHTTP schedules a burst and receives it.
func (b *bench) runBurstOverHTTP(ctx context.Context, s *sidecar) (burstResult, error) {
	b.progress("scheduling a burst over HTTP")
	n := b.cfg.Sizes.Burst
	fill := func(prefix, due string, n int) error {
		body := jobBody(due, b.cfg.Payload)
		return b.inParallel(ctx, n, func(ctx context.Context, caller, i int) error {
			return s.callers[caller].post(ctx, prefix+strconv.Itoa(i), s.app, body)
		})
	}
	trial, prefix := max(n/20, 1), b.newApp()+"-"
	begin := time.Now()
	if err := fill(prefix, farFuture, trial); err != nil {
		return burstResult{}, err
	}
	lead := time.Second + 2*time.Since(begin)/time.Duration(trial)*time.Duration(n)
	err := b.inParallel(ctx, trial, func(ctx context.Context, caller, i int) error {
		return s.cleanUp(ctx, caller, prefix+strconv.Itoa(i))
	})
	if err != nil {
		return burstResult{}, err
	}
	l := newLedger(n)
	s.ledger.Store(l)
	defer s.ledger.Store(nil)
	due := time.Now().Add(lead).Truncate(time.Millisecond)
	if err := fill("", instant(due), n); err != nil {
		return burstResult{}, err
	}
	if over := time.Since(due); over > 0 {
		return burstResult{}, fmt.Errorf("scheduling %d jobs over HTTP took %v longer than the %v that a trial predicted", n, over, lead)
	}
	b.progress("waiting for the burst")
	if err := until(ctx, due); err != nil {
		return burstResult{}, err
	}
	used := s.process.cpu()
	if err := l.wait(ctx, due, b.cfg.Sizes.Patience); err != nil {
		return burstResult{}, err
	}
	used = s.process.cpu() - used
	if err := until(ctx, time.Now().Add(b.cfg.Sizes.Linger)); err != nil {
		return burstResult{}, err
	}
	got, last := l.last()
	p := expectation{jobs: n, times: 1, due: func(int, int) time.Time { return due }}
	return burstResult{
		delivered: float64(got) / last.Sub(due).Seconds(), cost: in(time.Microsecond, used) / float64(max(got, 1)),
		late: l.lateness(p), count: l.count(p),
	}, nil
}
