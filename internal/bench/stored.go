package bench

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"time"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// storedJobs measures what jobs that are far in the future cost, in memory, on disk, at a restart, and the jobs beside
// them: rows 7, 8, 9 and 17.
func (b *bench) storedJobs(ctx context.Context) (results []RowResult, err error) {
	t, err := b.scheduler(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, t.stop()) }()
	app, few := b.app(), b.cfg.Sizes.Few
	n := max(b.cfg.Sizes.Stored, few)
	little, err := b.aLittle(ctx, t, app)
	if err != nil {
		return nil, err
	}
	b.progress("storing")
	if err := b.fillWith(ctx, t, app, few, n-few, inFuture); err != nil {
		return nil, err
	}
	much := memory{}
	if much.loaded, err = b.resident(ctx, t); err != nil {
		return nil, err
	}
	what := format(float64(n), "") + " stored"
	var beside []RowResult
	if b.cfg.wants(17) {
		if beside, err = b.beside(ctx, t, what); err != nil {
			return nil, err
		}
	}
	first, count, err := b.restart(ctx, t)
	if err != nil {
		return nil, err
	}
	if much.restarted, err = b.resident(ctx, t); err != nil {
		return nil, err
	}
	survived, err := b.sample(ctx, t, app, n)
	if err != nil {
		return nil, err
	}
	count = count.plus(survived)
	results = []RowResult{
		b.compare(what+": memory as loaded", much.loaded, little.loaded),
		b.compare(what+": memory after a restart", much.restarted, little.restarted),
		{
			Row: 8, Measure: what + ": killed, then started, to the first trigger that was due", Value: first.Seconds(), Unit: "s",
			Bar: atMost(1, 0.3), Count: &count, Notes: []string{"counted with a sample of what is stored"},
		},
	}
	if b.cfg.wants(9) {
		disk, err := b.disk(ctx, t, n)
		if err != nil {
			return nil, err
		}
		results = append(results, disk)
	}
	results = append(results, beside...)
	if b.cfg.wants(8) {
		gone, err := b.gone(ctx, t, app, what)
		if err != nil {
			return nil, err
		}
		results = append(results, gone)
	}
	return results, nil
}

// gone deletes what is stored and restarts the server at once: the head of its due index is deleted entries then.
func (b *bench) gone(ctx context.Context, t *target, app, what string) (RowResult, error) {
	b.progress("deleting what is stored")
	begin := time.Now()
	if err := t.forget(ctx, app); err != nil {
		return RowResult{}, err
	}
	deleted := time.Since(begin)
	first, count, err := b.restart(ctx, t)
	return RowResult{
		Row: 8, Measure: what + " and deleted: killed, then started, to the first trigger that was due", Value: first.Seconds(),
		Unit: "s", Bar: atMost(1, 0.3), Count: &count, Detail: []Figure{{"deleting them", deleted.Seconds(), "s"}},
	}, err
}

// A memory is how much of a server is in memory, in bytes.
type memory struct{ loaded, restarted float64 }

// compare returns row 7 of one state of a server, with much and with little stored.
func (b *bench) compare(measure string, much, little float64) RowResult {
	r := RowResult{Row: 7, Measure: measure, Value: much, Unit: "B", Bar: atMost(1.5, 1.1)}
	r.Null = &Null{Name: format(float64(b.cfg.Sizes.Few), "") + " stored", Value: little, Values: []float64{little}}
	if little > 0 {
		r.Ratio = much / little
	}
	return r
}

// aLittle stores a few jobs, again and again so that the server's buffers are as full as they get, and returns what
// they take, before and after a restart.
func (b *bench) aLittle(ctx context.Context, t *target, app string) (m memory, err error) {
	b.progress("storing a little")
	if err := b.fillWith(ctx, t, app, 0, b.cfg.Sizes.Few, inFuture); err != nil {
		return m, err
	}
	for begin := time.Now(); time.Since(begin) < 2*b.cfg.Sizes.Window; {
		err := b.fillWith(ctx, t, app, 0, b.cfg.Sizes.Few, func(r *schedulerv1.ScheduleJobRequest, _ int) { r.Overwrite = true })
		if err != nil {
			return m, err
		}
	}
	if m.loaded, err = b.resident(ctx, t); err != nil {
		return m, err
	}
	if _, _, err = b.restart(ctx, t); err != nil {
		return m, err
	}
	m.restarted, err = b.resident(ctx, t)
	return m, err
}

// inFuture leaves a request as it is: due when nobody waits for it any more.
func inFuture(*schedulerv1.ScheduleJobRequest, int) {}

// resident returns how much of the server is in memory after a rest.
func (b *bench) resident(ctx context.Context, t *target) (float64, error) {
	err := until(ctx, time.Now().Add(b.cfg.Sizes.Rest))
	return t.process.rss(), err
}

// restart lets a job fall due for an app that is not there, kills the server and starts it again, and returns how long
// after that the app, which is there now, was sent the job.
func (b *bench) restart(ctx context.Context, t *target) (time.Duration, Count, error) {
	b.progress("restarting")
	app, l := b.app(), newLedger(1)
	due := time.Now().Add(100 * time.Millisecond)
	if err := b.fill(ctx, t, app, instant(due), 1); err != nil {
		return 0, Count{}, err
	}
	if err := until(ctx, due.Add(b.cfg.Sizes.Linger)); err != nil {
		return 0, Count{}, err
	}
	if err := t.close(); err != nil {
		return 0, Count{}, err
	}
	t.child.kill()
	begin := time.Now()
	again, err := b.reopen(ctx, t.dir, "0")
	if err != nil {
		t.conns = nil // they are closed
		return 0, Count{}, err
	}
	*t = *again
	var took time.Duration
	err = b.receive(ctx, t, app, l, func(ctx context.Context) error {
		if err := l.wait(ctx, begin, startTime); err != nil {
			return err
		}
		_, at := l.last()
		took = at.Sub(begin)
		return until(ctx, time.Now().Add(b.cfg.Sizes.Linger))
	})
	return took, l.count(plan{jobs: 1, times: 1, due: func(int, int) time.Time { return due }}), err
}

// sample gets some of the n jobs of the app, from all over their names, and counts those that are there.
func (b *bench) sample(ctx context.Context, t *target, app string, n int) (Count, error) {
	some := min(n, b.cfg.Sizes.Few)
	var there atomic.Int64
	err := b.each(ctx, some, func(ctx context.Context, caller, i int) error {
		name := strconv.Itoa(i * (n / some))
		_, err := t.on[caller%len(t.on)].GetJob(ctx, &schedulerv1.GetJobRequest{Name: name, Metadata: meta(app)})
		if err == nil {
			there.Add(1)
		}
		if status.Code(err) == codes.NotFound {
			return nil
		}
		return err
	})
	return Count{Want: some, Distinct: int(there.Load()), Lost: some - int(there.Load())}, err
}

// beside measures scheduling and bursts while the jobs are stored, in turns with a server that holds nothing.
func (b *bench) beside(ctx context.Context, t *target, what string) (results []RowResult, err error) {
	empty, err := b.scheduler(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, empty.stop()) }()
	var total, acknowledged Count
	schedule := func(t *target) func(context.Context) (float64, error) {
		return func(ctx context.Context) (float64, error) {
			b.progress("schedule")
			app := b.app()
			l, err := b.far(ctx, t, app)
			if err != nil {
				return 0, err
			}
			found, err := t.stored(ctx, app, l.total)
			if err != nil {
				return 0, err
			}
			acknowledged = acknowledged.plus(found)
			// What is empty stays so, and what is stored does not grow.
			return l.rate(), t.forget(ctx, app)
		}
	}
	burst := func(t *target) func(context.Context) (float64, error) {
		return func(ctx context.Context) (float64, error) {
			one, err := b.blast(ctx, t, b.cfg.Sizes.Beside)
			total = total.plus(one.count)
			return one.settled, err
		}
	}
	var schedules, bursts sides
	for begin := time.Now(); len(bursts.values) == 0 || time.Since(begin) < b.cfg.Sizes.Soak; {
		s, err := b.between(ctx, schedule(empty), schedule(t))
		if err != nil {
			return nil, err
		}
		schedules = schedules.plus(s)
		if s, err = b.between(ctx, burst(empty), burst(t)); err != nil {
			return nil, err
		}
		bursts = bursts.plus(s)
	}
	return []RowResult{
		schedules.into(RowResult{Row: 17, Measure: what + ": schedule", Unit: "/s", Bar: atLeast(0.7, 0.9), Count: &acknowledged}, "empty"),
		bursts.into(RowResult{Row: 17, Measure: what + ": burst", Unit: "/s", Bar: atLeast(0.7, 0.9), Count: &total}, "empty"),
	}, nil
}

// disk measures the folder of a server that has been left alone until its size no longer changed: row 9.
func (b *bench) disk(ctx context.Context, t *target, n int) (RowResult, error) {
	b.progress("waiting for the disk")
	tables, others, err := size(t.dir)
	for same := 0; same < 3 && err == nil; same++ {
		if err := until(ctx, time.Now().Add(b.cfg.Sizes.Rest)); err != nil {
			return RowResult{}, err
		}
		var now float64
		if now, others, err = size(t.dir); now != tables {
			tables, same = now, -1
		}
	}
	if err != nil {
		return RowResult{}, err
	}
	return RowResult{
		Row: 9, Measure: fmt.Sprintf("disk per one-shot job with %d bytes", b.cfg.Payload), Value: tables / float64(n), Unit: "B",
		Bar: atMost(250, 150), Detail: []Figure{{"log and the rest", others / float64(n), "B"}},
		Notes: []string{"tables after a restart, left alone until their size no longer changed"},
	}, nil
}

// size returns how many bytes the files in dir have: those that hold jobs in order, and the others.
func size(dir string) (tables, others float64, err error) {
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return ignoreMissing(err)
		}
		info, err := d.Info()
		if err != nil {
			return ignoreMissing(err)
		}
		switch filepath.Ext(path) {
		case ".sst", ".blob":
			tables += float64(info.Size())
		default:
			others += float64(info.Size())
		}
		return nil
	})
	return tables, others, err
}

// ignoreMissing returns err unless it says that a file is gone: the server deletes what it no longer needs.
func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
