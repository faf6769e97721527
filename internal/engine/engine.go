package engine

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"carillon/internal/engine/quarantine"
	"carillon/internal/engine/record"
	"carillon/internal/engine/storemeta"
	"carillon/internal/fair"
	"carillon/internal/job"
	"carillon/internal/lograte"
	"carillon/internal/pause"
	"carillon/internal/store"
)

// An Engine keeps jobs and fires them when they are due. It is safe for concurrent use. Its calls
// wait until Run runs.
type Engine struct {
	config        Config
	store         store.Store
	rawStore      store.Store // the same store, without opening sealed specs
	log           *slog.Logger
	metrics       *metrics
	keyRegister   *storemeta.KeyRegister
	quarantine    *quarantine.Quarantine
	givenUp       *lograte.Line
	loops         []*loop
	loopOf        []*loop       // by partition
	formatChecked chan struct{} // closed when the store's format is known to be this engine's
}

// New returns an engine that keeps its jobs in s and fires them into d. The caller closes s after
// Run has returned.
func New(cfg Config, s store.Store, d Deliverer, log *slog.Logger) *Engine {
	cfg = cfg.withDefaults(s)
	raw := s
	if cfg.Keys != nil {
		s = record.EncryptedStore{Store: s, Keys: cfg.Keys}
		cfg.LocalReads = record.EncryptedStore{Store: cfg.LocalReads, Keys: cfg.Keys}
	}
	log = log.With(slog.String("component", "engine"))
	e := &Engine{
		config: cfg, store: s, rawStore: raw, log: log, metrics: newMetrics(cfg.Metrics),
		keyRegister: storemeta.NewKeyRegister(raw, cfg.Keys, log), quarantine: quarantine.New(s, cfg.Partitions, log, cfg.Metrics), givenUp: newGivenUp(log), formatChecked: make(chan struct{}),
	}
	rates := newRates(cfg.TriggerRate)
	for i := range cfg.Loops {
		var share []int
		for id := i * cfg.Partitions / cfg.Loops; id < (i+1)*cfg.Partitions/cfg.Loops; id++ {
			share = append(share, id)
		}
		lp := newLoop(share, cfg, rates, cfg.LocalReads, d, log, e.metrics, e.quarantine, e.givenUp)
		e.loops = append(e.loops, lp)
		for range share {
			e.loopOf = append(e.loopOf, lp)
		}
	}
	if cfg.Metrics != nil {
		cfg.Metrics.MustRegister(collector{e.loops})
	}
	return e
}

// newRates returns the quotas of all namespaces, or nil if there is no limit.
func newRates(perSecond float64) *fair.Rates[string] {
	if perSecond > 0 {
		return fair.NewRates[string](perSecond)
	}
	return nil
}

// Run fires what is due until ctx ends, and then returns nil. From then on calls get
// [job.ErrUnavailable]. It returns an error at once if the store has another format or other
// partitions.
func (e *Engine) Run(ctx context.Context) error {
	if ok, err := e.awaitStore(ctx); !ok {
		for _, lp := range e.loops {
			lp.inbox.close()
		}
		return err
	}
	close(e.formatChecked)
	var loops, others sync.WaitGroup
	for _, lp := range e.loops {
		loops.Go(func() { lp.run(ctx) })
	}
	others.Go(func() { e.watchClock(ctx) })
	others.Go(func() { e.quarantine.Run(ctx) })
	if e.config.Keys != nil {
		others.Go(func() { e.keyRegister.WatchFile(ctx) })
		others.Go(func() { e.runReencryption(ctx) })
	}
	owning, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	if !e.config.Shared {
		for p := range e.loopOf {
			e.loopOf[p].inbox.setLoading(p)
			others.Go(func() { e.RunPartition(owning, p, soleClaim{}) })
		}
	}
	loops.Wait()
	e.givenUp.Close(ctx)
	end()
	others.Wait()
	return nil
}

// Partition returns the partition that k belongs to, from 0.
func (e *Engine) Partition(k job.Key) int { return record.PartitionOf(k, e.config.Partitions) }

// watchClock wakes all loops when the wall clock has been stepped: their timers follow the
// monotonic one.
func (e *Engine) watchClock(ctx context.Context) {
	const period, tolerance = time.Minute, 10 * time.Millisecond
	for before := e.config.Now(); ; {
		pause.For(ctx, period)
		if ctx.Err() != nil {
			return
		}
		now := e.config.Now()
		step := now.Round(0).Sub(before.Round(0)) - now.Sub(before) //nolint:forbidigo // difference between the two clocks
		if step.Abs() > tolerance {
			e.log.LogAttrs(ctx, slog.LevelWarn, "the clock was stepped", slog.Duration("by", step))
			for _, lp := range e.loops {
				lp.inbox.wakeLoop()
			}
		}
		before = now
	}
}
