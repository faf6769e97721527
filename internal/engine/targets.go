package engine

import (
	"bytes"
	"context"
	"fmt"

	"carillon/internal/engine/record"
	"carillon/internal/job"
	"carillon/internal/store"
)

// Targets returns the first targets after one that have jobs and that s selects by kind, namespace
// and target, in the order of their keys; the zero target is before all. more says that others may
// follow. It reads one key for each target, however many jobs that has. Any node of a cluster can
// read all. What it returns would survive a power cut.
func (e *Engine) Targets(ctx context.Context, s job.Selector, after job.Target, limit int) (targets []job.Target, more bool, err error) {
	s.ActorID, s.NamePrefix = "", ""
	for {
		targets, more, err = e.readTargets(ctx, s, after, limit)
		if err != nil {
			return nil, false, unavailable(ctx, fmt.Errorf("list targets: %w", err))
		}
		if durable, err := e.waitAllDurable(ctx); durable || err != nil {
			return targets, more, err
		}
	}
}

func (e *Engine) readTargets(ctx context.Context, s job.Selector, after job.Target, limit int) (targets []job.Target, more bool, err error) {
	for _, r := range record.SelectorRanges(s) {
		if after != (job.Target{}) {
			r.From = laterKey(r.From, record.TargetRange(after).To)
		}
		for {
			key, size, err := e.firstKey(ctx, r)
			if err != nil {
				return nil, false, err
			}
			if key == nil {
				break
			}
			if len(targets) == limit {
				return targets, true, nil
			}
			k, err := record.ParseJobKey(key)
			if err != nil {
				e.quarantine.Report(ctx, key, size, err)
				r.From = append(key, 0)
				continue
			}
			if s.Target == "" || s.Target == k.Target.Name {
				targets = append(targets, k.Target)
			}
			r.From = record.TargetRange(k.Target).To
		}
	}
	return targets, false, nil
}

// firstKey returns the first key of a range, or nil if it is empty, and the size of its value.
func (e *Engine) firstKey(ctx context.Context, r store.Range) (key []byte, size int, err error) {
	if r.To != nil && bytes.Compare(r.From, r.To) >= 0 {
		return nil, 0, nil
	}
	for pair, err := range e.store.Scan(ctx, r, 1) {
		return bytes.Clone(pair.Key), len(pair.Value), err
	}
	return nil, 0, nil
}

func laterKey(a, b []byte) []byte {
	if bytes.Compare(a, b) > 0 {
		return a
	}
	return b
}
