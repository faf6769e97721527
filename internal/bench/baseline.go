package bench

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"google.golang.org/grpc/metadata"
)

// baseline returns the baseline server of that name. It runs until the end of the run.
func (b *bench) baseline(ctx context.Context, name string) (*child, error) {
	if c := b.baselines[name]; c != nil {
		return c, nil
	}
	dir, err := b.newDir(name)
	if err != nil {
		return nil, err
	}
	c, err := b.startChild(ctx, name, "--data-dir", dir)
	if err != nil {
		return nil, err
	}
	b.baselines[name] = c
	return c, nil
}

// dialBaseline returns a client of the baseline server of that name.
func (b *bench) dialBaseline(ctx context.Context, name string) (*measuredServer, error) {
	c, err := b.baseline(ctx, name)
	if err != nil {
		return nil, err
	}
	conn, err := b.dial(c.matches[0])
	return &measuredServer{client: conn, process: c.process(), child: c, address: c.matches[0]}, err
}

// withTriggers returns a context for a stream on which a baseline server sends that many triggers.
func withTriggers(ctx context.Context, triggers, bytes int) context.Context {
	return metadata.AppendToOutgoingContext(ctx, triggersHeader, strconv.Itoa(triggers), triggerBytesHeader, strconv.Itoa(bytes))
}

// streamEcho has the baseline server send as many triggers as a burst has. It returns the rate of
// answered triggers per second.
func (b *bench) streamEcho(ctx context.Context) (float64, error) {
	b.progress("stream echo")
	echo, err := b.dialBaseline(ctx, BaselineEcho)
	if err != nil {
		return 0, err
	}
	defer func() { _ = echo.close() }()
	var rate float64
	for _, n := range []int{1, b.cfg.Sizes.Burst} { // the first opens the connection
		begin, got := time.Now(), 0
		err := echo.watch(withTriggers(ctx, n, b.cfg.Payload), "baseline", func(string, time.Time) bool {
			got++
			return true
		})
		if err != nil {
			return 0, err
		}
		if got != n {
			return 0, fmt.Errorf("the baseline server sent %d of %d triggers", got, n)
		}
		rate = float64(n) / time.Since(begin).Seconds()
	}
	return rate, nil
}

// baselineRounds are the values of a measure, and of the baseline before and after each of them.
type baselineRounds struct{ baselines, values, ratios []float64 }

// between takes a measure once per round, each between two measures of the baseline.
func (b *bench) between(ctx context.Context, baseline, measure func(context.Context) (float64, error)) (baselineRounds, error) {
	var s baselineRounds
	before, err := baseline(ctx)
	if err != nil {
		return s, err
	}
	s.baselines = append(s.baselines, before)
	for range b.cfg.Sizes.Rounds {
		value, err := measure(ctx)
		if err != nil {
			return s, err
		}
		after, err := baseline(ctx)
		if err != nil {
			return s, err
		}
		s.baselines, s.values = append(s.baselines, after), append(s.values, value)
		s.ratios = append(s.ratios, value/mean(before, after))
		before = after
	}
	return s, nil
}

// result returns r with the medians of s, and with the baseline of that name.
func (s baselineRounds) result(r RowResult, baseline string) RowResult {
	r.Value, r.Ratio = median(s.values), median(s.ratios)
	r.Baseline = &Baseline{Name: baseline, Value: mean(s.baselines...), Values: s.baselines}
	return r
}

// plus returns the rounds of both.
func (s baselineRounds) plus(o baselineRounds) baselineRounds {
	return baselineRounds{
		baselines: append(s.baselines, o.baselines...), values: append(s.values, o.values...), ratios: append(s.ratios, o.ratios...),
	}
}
