package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"time"
)

// A Progress says how far a run is.
type Progress struct {
	Step, Steps int    // the current step, from 1
	Name        string // of the step
	Doing       string // what the step does; "" when it begins
	Elapsed     time.Duration
	// Remaining is an estimate from the sizes.
	Remaining time.Duration
}

// Run takes the measures and returns them in the order of the rows. It returns an error only if ctx
// ended or nothing could be measured. It calls progress from its own goroutine.
func Run(ctx context.Context, cfg Config, progress func(Progress)) (report Report, err error) {
	if err := cfg.Check(); err != nil {
		return Report{}, err
	}
	dir, err := os.MkdirTemp(cfg.Dir, "carillon-bench-")
	if err != nil {
		return Report{}, fmt.Errorf("create a directory for the data: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	begin := time.Now()
	b := &bench{cfg: cfg, dir: dir, runID: strconv.FormatInt(begin.UnixMilli(), 36), baselines: map[string]*child{}}
	defer func() {
		for _, c := range b.baselines {
			err = errors.Join(err, c.stop())
		}
	}()
	report = Report{
		At: begin.UTC(), Server: b.describeServer(), Sizes: cfg.Sizes,
		Callers: cfg.Callers, Connections: cfg.Connections, Payload: cfg.Payload,
	}
	if report.Machine, err = hardware(dir); err != nil {
		return report, err
	}
	report.Results, report.Slowdown, err = b.runSteps(ctx, begin, progress)
	report.Took = time.Since(begin).Seconds()
	return report, err
}

// describeServer names the server under test.
func (b *bench) describeServer() string {
	switch {
	case b.cfg.Scheduler != "":
		return "the scheduler at " + b.cfg.Scheduler
	case b.cfg.Sidecar != "":
		return "the sidecar at " + b.cfg.Sidecar
	case b.cfg.Nodes > 0:
		return fmt.Sprintf("%d nodes of carillon on one machine", b.cfg.Nodes)
	default:
		return "carillon"
	}
}

// runSteps runs the steps that the configuration wants.
func (b *bench) runSteps(ctx context.Context, begin time.Time, progress func(Progress)) (results []RowResult, slowdown float64, err error) {
	var wanted []step
	var left time.Duration
	for _, s := range steps() {
		if b.cfg.measures(s.kind) && b.cfg.wants(s.rows...) {
			wanted = append(wanted, s)
			left += s.duration(b.cfg.Sizes)
		}
	}
	if b.cfg.wants(2, 12, 13) {
		b.progress = func(string) {}
		if slowdown, err = b.slowdown(ctx); err != nil {
			return nil, 0, err
		}
	}
	for i, s := range wanted {
		since := time.Now()
		b.progress = func(doing string) {
			progress(Progress{
				Step: i + 1, Steps: len(wanted), Name: s.name, Doing: doing,
				Elapsed: time.Since(begin), Remaining: max(left-time.Since(since), 0),
			})
		}
		b.progress("")
		found, err := s.run(b, ctx)
		if ctx.Err() != nil {
			return results, slowdown, ctx.Err()
		}
		if err != nil {
			found = []RowResult{{Row: s.rows[0], Measure: s.name, Error: err.Error()}}
		}
		for _, r := range found {
			if b.cfg.wants(r.Row) || r.Error != "" {
				results = append(results, r.judged(slowdown))
			}
		}
		left -= s.duration(b.cfg.Sizes)
	}
	slices.SortStableFunc(results, func(x, y RowResult) int { return x.Row - y.Row })
	return results, slowdown, nil
}

// referenceEcho is the processor time of a unary echo on the machine for which the thresholds are
// defined.
const referenceEcho = 17.0 // µs

// slowdown measures [Report].Slowdown.
func (b *bench) slowdown(ctx context.Context) (float64, error) {
	echo, err := b.dialBaseline(ctx, BaselineEcho)
	if err != nil {
		return 0, err
	}
	defer func() { _ = echo.close() }()
	l, err := b.scheduleFar(ctx, echo, b.newApp())
	return l.cost() / referenceEcho, err
}
