package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"carillon/internal/encryption"
	"carillon/internal/engine/record"
	"carillon/internal/fair"
	"carillon/internal/job"
	"carillon/internal/lograte"
	"carillon/internal/store"
)

// A Deliverer carries triggers to applications. It is safe for concurrent use.
type Deliverer interface {
	// Deliver takes t without blocking and reports whether a receiver had room. If so, done is called exactly once,
	// from another goroutine, when the attempt has ended. If not, room is called once, from another goroutine, when that
	// may have changed, with how many triggers there is room for, about, and at least one; unless a trigger of the same
	// target and partition is refused before, or Withdraw is called. Neither blocks.
	Deliver(t job.Trigger, done func(job.Outcome), room func(n int)) (taken bool)
	// Withdraw says that nobody waits for room for the triggers of a target and a partition any more: the room function
	// that was given with the last one is let go, and not called unless that has begun. It does not block.
	Withdraw(target job.Target, partition int)
}

// A Config is what an operator may choose of an engine. The zero Config is usable.
type Config struct {
	// Partitions is into how many shares the keys are divided. It is fixed when the store is made; 0 means 64.
	Partitions int
	// MaxJob is how many bytes the record of a job may have with its key, payload included; 0 means 2 MiB, as Dapr has it.
	MaxJob int
	// Shared says that other nodes write to the store too: then the engine has the partitions that Own gives it, and
	// otherwise all of them.
	Shared bool
	// Own is the store for reads of what this engine alone writes, as long as it owns it, where that is cheaper than to
	// see what others write; nil is the store itself.
	Own store.Store
	// Loops is how many goroutines turn the partitions, each its share of them; 0 means one for each two CPUs, but 1
	// to 4, and 1 if the store is shared: each has its own commits, and those are dear there. It may differ from one start
	// to the next.
	Loops int
	// Punctual asks the kernel to wake an idle process when something is due: otherwise that is late by up to a
	// millisecond. Not for fake time.
	Punctual bool
	// Inbox is how many calls may wait for one loop, or be carried out by it; whoever comes later waits outside. 0 means
	// 4096.
	Inbox int
	// Turn is how many commands and outcomes a turn of a loop takes at most; 0 means 256, or 64 if the store is shared: there a
	// commit takes the longer the more it writes, on every node.
	Turn int
	// MaxCommit is how many bytes the commands and outcomes of a turn take, about; a larger command has a turn to itself. 0
	// means half of what a commit of the store can carry.
	MaxCommit int
	// MaxInFlight is how many triggers may be in flight in all, from when they are read to when their outcome is committed,
	// and 8 of each target beyond that. Targets share it fairly. 0 means 65,536; each takes about 1 KiB.
	MaxInFlight int
	// TriggerRate is how many triggers the jobs of one namespace may have in a second, attempts that are tried again among
	// them, and as many at once after a second without any. What is due beyond that waits, in a fair order. 0 is no bound.
	TriggerRate float64
	// MaxCommandBytes is how many bytes those calls may have together that wait for a loop, or are carried out by it, for all
	// loops. 0 means 256 MiB.
	MaxCommandBytes int64
	// Full returns why nothing new is to be stored for want of room, an error that is [job.ErrFull], or nil; a nil Full is
	// never. It is asked for each job that is scheduled, and must be quick and safe for concurrent use.
	Full func() error
	// Keys seal the specs of jobs, payloads among them; nil: they are stored as they are. A store with sealed jobs is not
	// opened without their keys.
	Keys *encryption.Keys
	// Now is the clock on the wall, which may be stepped, with a reading of the other clock, which timers and leases go by;
	// nil is [time.Now].
	Now func() time.Time
	// Metrics is where the engine's metrics are registered; nil is nowhere.
	Metrics prometheus.Registerer
}

// DefaultMaxJob is how many bytes the record of a job may have with its key, unless [Config] says otherwise.
const DefaultMaxJob = 2 << 20

const (
	defaultPartitions = 64
	maxDefaultLoops   = 4
	defaultInbox      = 4096
	defaultTurn       = 256
	defaultSharedTurn = 64
	defaultInFlight   = 1 << 16
	defaultCommands   = 256 << 20 // bytes
)

// An Engine keeps jobs and fires them when they are due. It is safe for concurrent use; its calls wait until Run runs.
type Engine struct {
	config  Config
	store   store.Store
	raw     store.Store // the same, in which what is sealed is sealed
	log     *slog.Logger
	metrics *metrics
	aside   *quarantine
	givenUp *lograte.Line
	loops   []*loop
	owner   []*loop       // of each partition
	known   chan struct{} // closed when the store's format is known to be ours
}

// New returns an engine that keeps its jobs in s and fires them into d. The caller closes s after Run has returned.
func New(cfg Config, s store.Store, d Deliverer, log *slog.Logger) *Engine {
	orDefault := func(field *int, value int) {
		if *field == 0 {
			*field = value
		}
	}
	orDefault(&cfg.Partitions, defaultPartitions)
	orDefault(&cfg.MaxJob, DefaultMaxJob)
	if cfg.Shared {
		orDefault(&cfg.Loops, 1)
		orDefault(&cfg.Turn, defaultSharedTurn)
	}
	orDefault(&cfg.Loops, max(1, min(runtime.GOMAXPROCS(0)/2, maxDefaultLoops)))
	orDefault(&cfg.Inbox, defaultInbox)
	orDefault(&cfg.Turn, defaultTurn)
	orDefault(&cfg.MaxInFlight, defaultInFlight)
	if cfg.MaxCommandBytes == 0 {
		cfg.MaxCommandBytes = defaultCommands
	}
	cfg.Loops = min(cfg.Loops, cfg.Partitions)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Own == nil {
		cfg.Own = s
	}
	raw := s
	if cfg.Keys != nil {
		s, cfg.Own = record.EncryptedStore{Store: s, Keys: cfg.Keys}, record.EncryptedStore{Store: cfg.Own, Keys: cfg.Keys}
	}
	log = log.With(slog.String("component", "engine"))
	m := newMetrics(cfg.Metrics)
	aside := newQuarantine(s, log, cfg.Metrics)
	e := &Engine{config: cfg, store: s, raw: raw, log: log, metrics: m, aside: aside, givenUp: newGivenUp(log), known: make(chan struct{})}
	var rates *fair.Rates[string]
	if cfg.TriggerRate > 0 {
		rates = fair.NewRates[string](cfg.TriggerRate)
	}
	for i := range cfg.Loops {
		var share []int
		for id := i * cfg.Partitions / cfg.Loops; id < (i+1)*cfg.Partitions/cfg.Loops; id++ {
			share = append(share, id)
		}
		lp := newLoop(share, cfg, cfg.Own, d, log, m, aside, e.givenUp)
		lp.machine.rates = rates
		e.loops = append(e.loops, lp)
		for range share {
			e.owner = append(e.owner, lp)
		}
	}
	if cfg.Metrics != nil {
		cfg.Metrics.MustRegister(survey{e.loops})
	}
	return e
}

// Run fires what is due until ctx ends, and then returns nil; calls are answered with [job.ErrUnavailable] from then
// on. It returns an error at once if the store was made by something else than this engine with these partitions.
func (e *Engine) Run(ctx context.Context) error {
	if known, err := e.awaitFormat(ctx); !known {
		for _, lp := range e.loops {
			lp.inbox.close()
		}
		return err
	}
	close(e.known)
	var loops, others sync.WaitGroup
	for _, lp := range e.loops {
		loops.Go(func() { lp.run(ctx) })
	}
	others.Go(func() { e.watchClock(ctx) })
	others.Go(func() { e.aside.keep(ctx, inspector{store: e.store, partitions: e.config.Partitions}) })
	if e.config.Keys != nil {
		others.Go(func() { e.followKeys(ctx) })
		others.Go(func() { e.resealAll(ctx) })
	}
	owning, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	if !e.config.Shared {
		for p := range e.owner {
			e.owner[p].inbox.expect(p)
			others.Go(func() { e.Own(owning, p, sole{}) })
		}
	}
	loops.Wait()
	e.givenUp.Close(ctx)
	end()
	others.Wait()
	return nil
}

// awaitFormat checks the store's format, and reports whether it is ours. A store that does not answer is asked again,
// until ctx ends.
func (e *Engine) awaitFormat(ctx context.Context) (known bool, err error) {
	begun := time.Now()
	for wait := minBackoff; ; wait = min(2*wait, time.Second) { // all that the store holds is late meanwhile
		level := slog.LevelError
		if time.Since(begun) < stuckAfter { // what the store needs may be starting as well
			level = slog.LevelInfo
		}
		var other *formatError
		switch err := e.checkStore(ctx); {
		case err == nil:
			return true, nil
		case ctx.Err() != nil:
			return false, nil //nolint:nilerr // it was stopped before it had begun
		case errors.As(err, &other):
			return false, err
		default:
			e.log.LogAttrs(ctx, level, "the store's format is not known yet; trying again",
				slog.Any("err", err), slog.Duration("after", wait))
		}
		pause(ctx, wait)
	}
}

// checkStore makes sure that the engine can read all that the store holds.
func (e *Engine) checkStore(ctx context.Context) error {
	if err := e.checkFormat(ctx); err != nil {
		return err
	}
	return e.checkKeys(ctx)
}

// A formatError says that the store was made by something else.
type formatError struct{ text string }

func (e *formatError) Error() string { return e.text }

// checkFormat makes sure that the store is laid out as this engine expects. An empty one is marked so.
func (e *Engine) checkFormat(ctx context.Context) error {
	values, err := e.store.Get(ctx, record.FormatKey())
	if err != nil {
		return fmt.Errorf("read the store's format: %w", err)
	}
	got := values[0]
	if got == nil {
		var b store.Batch
		b.Put(record.FormatKey(), record.EncodeFormat(e.config.Partitions))
		if err := e.store.Commit(ctx, &b); err != nil {
			return fmt.Errorf("write the store's format: %w", err)
		}
		return nil
	}
	switch n, ok := record.DecodeFormat(got); {
	case !ok:
		return &formatError{fmt.Sprintf("the store's format is %x, and this version of carillon knows only format %d: use the version that wrote it", got, record.FormatVersion)}
	case n != e.config.Partitions:
		return &formatError{fmt.Sprintf("the store was made with %d partitions and cannot be used with %d", n, e.config.Partitions)}
	}
	return nil
}

// watchClock gives every loop a turn when the wall clock has been stepped, since timers follow another clock.
func (e *Engine) watchClock(ctx context.Context) {
	const period, tolerance = time.Minute, 10 * time.Millisecond
	for before := e.config.Now(); ; {
		pause(ctx, period)
		if ctx.Err() != nil {
			return
		}
		now := e.config.Now()
		step := now.Round(0).Sub(before.Round(0)) - now.Sub(before) //nolint:forbidigo // how far the one clock has left the other
		if step.Abs() > tolerance {
			e.log.LogAttrs(ctx, slog.LevelWarn, "the clock was stepped", slog.Duration("by", step))
			for _, lp := range e.loops {
				lp.inbox.poke()
			}
		}
		before = now
	}
}

// Partition returns the share of the keys that k belongs to, from 0.
func (e *Engine) Partition(k job.Key) int { return record.PartitionOf(k, e.config.Partitions) }

// Schedule stores s, whose plan is resolved, as the job k; when it returns nil, the job survives a power cut. A job
// that has k already is replaced if overwrite is set, and is [job.ErrExists] otherwise. A job that would never fire is
// not stored, and takes the place of its predecessor all the same. A [*job.TooLargeError] says that s is too large.
// [job.ErrFull] says that there is no room. After [job.ErrUnavailable], and after ctx has ended, the job may be stored or
// not.
func (e *Engine) Schedule(ctx context.Context, k job.Key, s job.Spec, overwrite bool) error {
	c := new(command)
	if err := e.put(c, &job.Request{Key: k, Spec: s, Overwrite: overwrite}); err != nil {
		return err
	}
	return e.owner[c.partition].inbox.ask(ctx, c)
}

// put makes c the command to do what r asks for, unless there is no room for it. It keeps r.
func (e *Engine) put(c *command, r *job.Request) error {
	if r.Remove {
		*c = e.remove(r.Key)
		return nil
	}
	encoded := record.EncodeSpec(r.Key, &r.Spec)
	name := len(record.JobKey(r.Key))
	size := len(encoded) + name
	if size > e.config.MaxJob {
		return &job.TooLargeError{Size: size, Limit: e.config.MaxJob}
	}
	if err := e.full(); err != nil {
		return err
	}
	c.key, c.partition, c.bytes, c.stores, c.spec = r.Key, e.Partition(r.Key), size+writesPerJob*name, true, &r.Spec
	c.decide = func(m *machine, old stored) error { return m.schedule(r.Key, &r.Spec, encoded, r.Overwrite, old) }
	return nil
}

// full returns why there is no room for anything new, or nil.
func (e *Engine) full() error {
	if e.config.Full == nil {
		return nil
	}
	return e.config.Full()
}

// Delete removes the job k, if there is one; when it returns nil, k is not delivered again, but for a trigger that
// is out already.
func (e *Engine) Delete(ctx context.Context, k job.Key) error {
	c := e.remove(k)
	return e.owner[c.partition].inbox.ask(ctx, &c)
}

func (e *Engine) remove(k job.Key) command {
	return command{key: k, partition: e.Partition(k), bytes: writesPerJob * len(record.JobKey(k)), decide: func(m *machine, old stored) error { m.remove(k, old); return nil }}
}

// Get returns the job k, or [job.ErrNotFound]. What it returns would survive a power cut.
func (e *Engine) Get(ctx context.Context, k job.Key) (job.Spec, error) {
	for {
		values, err := e.store.Get(ctx, record.JobKey(k))
		if err != nil {
			return job.Spec{}, unavailable(ctx, fmt.Errorf("read job %s: %w", k, err))
		}
		durable, err := e.owner[e.Partition(k)].settled(ctx, &k)
		switch {
		case err != nil:
			return job.Spec{}, err
		case !durable:
			continue
		case values[0] == nil:
			return job.Spec{}, fmt.Errorf("%w: %s", job.ErrNotFound, k.Name)
		}
		if err := missingKey(ctx, e.raw, e.config.Keys, values[0]); err != nil {
			return job.Spec{}, unavailable(ctx, err)
		}
		s, err := record.DecodeSpec(k, values[0])
		if err != nil {
			e.aside.report(ctx, record.JobKey(k), len(values[0]), err)
			return job.Spec{}, err
		}
		return *s, nil
	}
}

// unavailable marks an error of the store as one that may pass, unless the caller has gone.
func unavailable(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return err
	}
	return fmt.Errorf("%w: %w", job.ErrUnavailable, err)
}
