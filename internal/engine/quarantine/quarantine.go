// Package quarantine finds and remembers the keys of a store that an engine cannot use.
//
// A key is in quarantine if it is malformed, if its record cannot be read, or if the due index and
// the records disagree about it. It stays in the store, and no other job is affected. The store
// keeps a note about it, so that an operator need not find it in a log (decision 18).
//
// A store that cannot be read is an error of the node and no finding, and so is a missing
// encryption key.
package quarantine

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"

	"carillon/internal/engine/record"
	"carillon/internal/pause"
	"carillon/internal/store"
)

const (
	// maxFound is how many findings a quarantine remembers. Further ones are only logged.
	maxFound = 4096
	// maxNotedKey is the longest key that a note is kept about.
	maxNotedKey = 8 << 10
	// maxFindingReason is the most bytes of a reason.
	maxFindingReason = 256
	// recheckPeriod is how long after a check the findings are checked again, because they may have
	// been repaired. After a long check it is recheckRest times as long as the check took.
	recheckPeriod = time.Minute
	recheckRest   = 100
	// maxNotes is how many notes are written at once.
	maxNotes = 64
)

// A Quarantine remembers findings. It is safe for concurrent use.
type Quarantine struct {
	inspector

	log   *slog.Logger
	count *prometheus.GaugeVec // by kind of key
	wake  chan struct{}        // holds one token while there is something to note

	mu       sync.Mutex               // guards the fields below
	found    map[string]*knownFinding // by key
	logLimit rate.Sometimes           // findings in the log
}

// A knownFinding is a Finding, and whether the store has a note about it.
type knownFinding struct {
	Finding

	noted bool
}

// New returns a quarantine for the store s, whose jobs are divided into so many partitions. Its
// metric is registered with r, unless r is nil.
func New(s store.Store, partitions int, log *slog.Logger, r prometheus.Registerer) *Quarantine {
	q := &Quarantine{
		inspector: inspector{store: s, partitions: partitions}, log: log, wake: make(chan struct{}, 1), found: map[string]*knownFinding{},
		logLimit: rate.Sometimes{First: 10, Interval: time.Minute},
		count: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "carillon_quarantined", Help: "Keys in quarantine, which the scheduler cannot use and skips, by kind: due, job, state or other.",
		}, []string{"kind"}),
	}
	for _, kind := range []string{kindDue, kindJob, kindState, kindOther} {
		q.count.WithLabelValues(kind).Set(0)
	}
	if r != nil {
		r.MustRegister(q.count)
	}
	return q
}

// Report puts a key in quarantine, whose value has size bytes, unless it is there already.
func (q *Quarantine) Report(ctx context.Context, key []byte, size int, why error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.found[string(key)] != nil {
		return
	}
	reason := why.Error()
	if len(reason) > maxFindingReason {
		reason = strings.ToValidUTF8(reason[:maxFindingReason], "") + "…"
	}
	if len(q.found) < maxFound {
		f := &knownFinding{Finding: Finding{Key: bytes.Clone(key), Reason: reason, Bytes: size, FirstSeen: time.Now()}, noted: len(key) > maxNotedKey}
		q.found[string(key)] = f
		q.count.WithLabelValues(f.Kind()).Inc()
		select {
		case q.wake <- struct{}{}:
		default: // a token is there
		}
	}
	q.logLimit.Do(func() {
		q.log.LogAttrs(ctx, slog.LevelError, "the store holds what cannot be used: it is left aside, and the rest goes on",
			slog.String("key", Finding{Key: key}.String()), slog.String("reason", reason), slog.Int("bytes", size),
			slog.Int("quarantined", len(q.found)))
	})
}

// Findings returns what is in quarantine, in the order of the keys.
func (q *Quarantine) Findings() []Finding {
	var all []Finding
	for _, f := range q.findings() {
		all = append(all, f.Finding)
	}
	return all
}

// findings returns the findings in the order of their keys.
func (q *Quarantine) findings() []knownFinding {
	q.mu.Lock()
	defer q.mu.Unlock()
	all := make([]knownFinding, 0, len(q.found))
	for _, f := range q.found {
		all = append(all, *f)
	}
	slices.SortFunc(all, func(a, b knownFinding) int { return bytes.Compare(a.Key, b.Key) })
	return all
}

// Summary describes in a line what is in quarantine, or "".
func (q *Quarantine) Summary() string {
	all := q.findings()
	if len(all) == 0 {
		return ""
	}
	text := fmt.Sprintf("quarantined: %d keys of the store cannot be used and are left aside, such as %s: %s; 'carillon quarantine list' shows all",
		len(all), all[0], all[0].Reason)
	if len(all) == maxFound {
		text = strings.Replace(text, ":", ": at least", 1)
	}
	return text
}

// forget removes a key from quarantine.
func (q *Quarantine) forget(key []byte) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if f := q.found[string(key)]; f != nil {
		delete(q.found, string(key))
		q.count.WithLabelValues(f.Kind()).Dec()
	}
}

// load adds the findings that the store has notes about.
func (q *Quarantine) load(ctx context.Context) error {
	for pair, err := range q.store.Scan(ctx, store.Prefix(record.NoteKey(nil)), maxFound) {
		if err != nil {
			return fmt.Errorf("read what is in quarantine: %w", err)
		}
		f := Finding(record.DecodeNote(pair))
		q.mu.Lock()
		if q.found[string(f.Key)] == nil {
			q.count.WithLabelValues(f.Kind()).Inc()
		}
		q.found[string(f.Key)] = &knownFinding{f, true}
		q.mu.Unlock()
	}
	return nil
}

// Run writes notes about new findings, and checks all findings again periodically, until ctx ends.
func (q *Quarantine) Run(ctx context.Context) {
	err := q.load(ctx)
	all := true
	for logged := ""; ; {
		begun := time.Now()
		if err == nil {
			err = q.recheck(ctx, all)
		}
		if err != nil && err.Error() != logged && ctx.Err() == nil {
			logged = err.Error()
			q.log.LogAttrs(ctx, slog.LevelWarn, "cannot note what is in quarantine; it is tried again", slog.Any("err", err))
		}
		err = nil
		again := time.NewTimer(max(recheckPeriod, recheckRest*time.Since(begun)))
		select {
		case <-q.wake:
			pause.For(ctx, time.Second) // usually more follow
			all = false
		case <-again.C:
			all = true
		case <-ctx.Done():
		}
		again.Stop()
		if ctx.Err() != nil {
			return
		}
	}
}

// recheck writes notes about new findings. If all is set it checks all findings again, and forgets
// those that are gone or usable.
func (q *Quarantine) recheck(ctx context.Context, all bool) error {
	var b store.Batch
	var noted [][]byte
	commit := func() error {
		if len(b.Writes) == 0 {
			return nil
		}
		if err := q.store.Commit(ctx, &b); err != nil {
			return err
		}
		q.noted(noted)
		b.Reset()
		noted = noted[:0]
		return nil
	}
	for _, f := range q.findings() {
		if !all && f.noted {
			continue
		}
		broken, err := q.isBroken(ctx, f.Key)
		if err != nil {
			return err
		}
		switch {
		case !broken:
			b.Delete(record.NoteKey(f.Key))
			q.forget(f.Key)
			q.log.LogAttrs(ctx, slog.LevelInfo, "a key of the store that could not be used is gone, or in order", slog.String("key", f.String()))
		case !f.noted:
			b.Put(record.NoteKey(f.Key), record.EncodeNote(record.Note(f.Finding)))
			noted = append(noted, f.Key)
		}
		if len(b.Writes) == maxNotes {
			if err := commit(); err != nil {
				return err
			}
		}
	}
	return commit()
}

// noted remembers that the store has notes about these keys.
func (q *Quarantine) noted(keys [][]byte) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, k := range keys {
		if f := q.found[string(k)]; f != nil {
			f.noted = true
		}
	}
}
