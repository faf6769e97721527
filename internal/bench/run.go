package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"
)

// A Progress says how far a run is.
type Progress struct {
	Step, Steps int    // the step under way, from 1
	Name        string // of the step
	Doing       string // what it is at; "" when the step begins
	Elapsed     time.Duration
	// Remaining is an estimate, from the sizes.
	Remaining time.Duration
}

// A step takes the measures of some rows together.
type step struct {
	rows []int
	name string
	of   source
	run  func(b *bench, ctx context.Context) ([]RowResult, error)
	// takes returns about how long it takes with sizes s.
	takes func(s Sizes) time.Duration
}

// A bench is one run.
type bench struct {
	cfg      Config
	dir      string // holds what the run writes
	run      string // is part of the ids of its apps, so that runs against one server do not meet
	apps     int    // how many ids it has used
	children int    // how many processes it has started with a profile
	nulls    map[string]*child
	progress func(doing string)
}

// Run takes the measures and returns what it has found, in the order of the rows, with an error only if ctx has ended
// or nothing could be measured. progress is called from the goroutine of Run.
func Run(ctx context.Context, cfg Config, progress func(Progress)) (report Report, err error) {
	if err := cfg.Check(); err != nil {
		return Report{}, err
	}
	dir, err := os.MkdirTemp(cfg.Dir, "carillon-bench-")
	if err != nil {
		return Report{}, fmt.Errorf("make a folder for the data: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	begin := time.Now()
	b := &bench{cfg: cfg, dir: dir, run: strconv.FormatInt(begin.UnixMilli(), 36), nulls: map[string]*child{}}
	defer func() {
		for _, c := range b.nulls {
			err = errors.Join(err, c.stop())
		}
	}()
	report = Report{
		At: begin.UTC(), Server: b.server(), Sizes: cfg.Sizes,
		Callers: cfg.Callers, Connections: cfg.Connections, Payload: cfg.Payload,
	}
	if report.Machine, err = machine(dir); err != nil {
		return report, err
	}
	report.Results, report.Pace, err = b.all(ctx, begin, progress)
	report.Took = time.Since(begin).Seconds()
	return report, err
}

// server says what is measured.
func (b *bench) server() string {
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

// all takes the steps that are wanted.
func (b *bench) all(ctx context.Context, begin time.Time, progress func(Progress)) (results []RowResult, pace float64, err error) {
	var wanted []step
	var left time.Duration
	for _, s := range steps() {
		if b.cfg.has(s.of) && b.cfg.wants(s.rows...) {
			wanted = append(wanted, s)
			left += s.takes(b.cfg.Sizes)
		}
	}
	if b.cfg.wants(2, 12, 13) {
		b.progress = func(string) {}
		if pace, err = b.pace(ctx); err != nil {
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
			return results, pace, ctx.Err()
		}
		if err != nil {
			found = []RowResult{{Row: s.rows[0], Measure: s.name, Error: err.Error()}}
		}
		for _, r := range found {
			if b.cfg.wants(r.Row) || r.Error != "" {
				results = append(results, r.judged(pace))
			}
		}
		left -= s.takes(b.cfg.Sizes)
	}
	slices.SortStableFunc(results, func(x, y RowResult) int { return x.Row - y.Row })
	return results, pace, nil
}

// referenceEcho is the processor time that a unary echo takes on the machine that the bars are from.
const referenceEcho = 17.0 // µs

// pace returns [Report.Pace].
func (b *bench) pace(ctx context.Context) (float64, error) {
	echo, err := b.unary(ctx, NullEcho)
	if err != nil {
		return 0, err
	}
	defer func() { _ = echo.close() }()
	l, err := b.far(ctx, echo, b.app())
	return l.cost() / referenceEcho, err
}

// app returns the id of a new app.
func (b *bench) app() string {
	b.apps++
	return fmt.Sprintf("bench-%s-%d", b.run, b.apps)
}

// folder returns a new folder for a server's data, that does not exist yet.
func (b *bench) folder(name string) (string, error) {
	dir, err := os.MkdirTemp(b.dir, name+"-")
	return filepath.Join(dir, "data"), err
}

// null returns the null of that name, which lives to the end of the run.
func (b *bench) null(ctx context.Context, name string) (*child, error) {
	if c := b.nulls[name]; c != nil {
		return c, nil
	}
	dir, err := b.folder(name)
	if err != nil {
		return nil, err
	}
	c, err := b.startChild(ctx, name, "--data-dir", dir)
	if err != nil {
		return nil, err
	}
	b.nulls[name] = c
	return c, nil
}

// A target is a Scheduler service to measure.
type target struct {
	*client
	process process
	child   *child // nil if it is not ours
	address string
	dir     string // of its data; "" if it is not ours
}

// scheduler returns a scheduler with nothing stored, or the running one of the configuration.
func (b *bench) scheduler(ctx context.Context) (*target, error) {
	if b.cfg.Scheduler != "" {
		c, err := b.dialCluster(ctx, b.cfg.Scheduler)
		return &target{client: c, process: process(b.cfg.PID), address: b.cfg.Scheduler}, err
	}
	dir, err := b.folder("scheduler")
	if err != nil {
		return nil, err
	}
	return b.reopen(ctx, dir, "0")
}

// dialCluster returns a client of the cluster that the server at the address says that it is one of, if it does.
func (b *bench) dialCluster(ctx context.Context, address string) (*client, error) {
	c, err := b.dial(address)
	if err != nil {
		return nil, err
	}
	bounded, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	hosts, err := hostsOf(bounded, c.on[0])
	if err != nil || len(hosts) < 2 { // it is alone, or it knows no such call
		return c, nil // whether it works is seen when it is measured
	}
	if err := c.close(); err != nil {
		return nil, err
	}
	return b.dial(hosts...)
}

// reopen starts a scheduler on that folder and port.
func (b *bench) reopen(ctx context.Context, dir, port string) (*target, error) {
	c, err := b.startCarillon(ctx, []string{`msg=listening .*\bscheduler=(\S+)`}, "scheduler",
		"--listen-address", "127.0.0.1", "--port", port, "--healthz-listen-address", "127.0.0.1", "--healthz-port", "0",
		"--enable-metrics=false", "--etcd-data-dir", dir)
	if err != nil {
		return nil, err
	}
	t := &target{process: c.process(), child: c, address: c.found[0], dir: dir}
	if t.client, err = b.dial(t.address); err != nil {
		return nil, errors.Join(err, c.stop())
	}
	return t, nil
}

// stop ends the scheduler, if it is ours, and removes its data.
func (t *target) stop() error {
	err := t.close()
	if t.child == nil {
		return err
	}
	return errors.Join(err, t.child.stop(), os.RemoveAll(t.dir))
}

// with calls f with a scheduler, and stops it.
func (b *bench) with(ctx context.Context, f func(t *target) ([]RowResult, error)) ([]RowResult, error) {
	t, err := b.scheduler(ctx)
	if err != nil {
		return nil, err
	}
	results, err := f(t)
	return results, errors.Join(err, t.stop())
}
