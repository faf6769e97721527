package engine

import (
	"log/slog"

	"carillon/internal/engine/dueorder"
	"carillon/internal/engine/quarantine"
	"carillon/internal/engine/record"
	"carillon/internal/engine/storemeta"
	"carillon/internal/fair"
	"carillon/internal/job"
	"carillon/internal/lograte"
	"carillon/internal/store"
)

// An Engine keeps jobs and fires them when they are due. It is safe for concurrent use. Its calls
// wait until Run runs.
type Engine struct {
	config       Config
	store        store.Store
	rawStore     store.Store // the same store, without opening sealed specs
	log          *slog.Logger
	metrics      *metrics
	keyRegister  *storemeta.KeyRegister
	quarantine   *quarantine.Quarantine
	dueIndex     *dueorder.Index
	givenUp      *lograte.Line
	loops        []*loop
	loopOf       []*loop       // by partition
	storeChecked chan struct{} // closed when checkStore has succeeded
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
		keyRegister: storemeta.NewKeyRegister(raw, cfg.Keys, log),
		quarantine:  quarantine.New(s, cfg.Partitions, log, cfg.Metrics),
		givenUp:     newGivenUp(log), storeChecked: make(chan struct{}),
	}
	e.dueIndex = &dueorder.Index{
		Store: s, Partitions: cfg.Partitions, Remote: cfg.Shared, MaxWork: dueorder.DefaultMaxWork, Report: e.quarantine.Report,
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

// Partition returns the partition that k belongs to, from 0.
func (e *Engine) Partition(k job.Key) int { return record.PartitionOf(k, e.config.Partitions) }

// PartitionCount returns into how many partitions the keys are divided.
func (e *Engine) PartitionCount() int { return e.config.Partitions }

// storeFull returns why the store has no capacity for new data, or nil.
func (e *Engine) storeFull() error {
	if e.config.Full == nil {
		return nil
	}
	return e.config.Full()
}
