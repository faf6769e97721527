package engine

import (
	"bytes"
	"context"
	"fmt"

	"carillon/internal/engine/record"
)

// readPageByName reads a page of q in the order of keys, from one range of specs.
func (e *Engine) readPageByName(ctx context.Context, q ViewQuery) (ViewPage, error) {
	ranges := record.SelectorRanges(q.Selector)
	for len(ranges) > 0 && bytes.Compare(q.After, ranges[0].To) >= 0 {
		ranges = ranges[1:]
	}
	if len(ranges) == 0 {
		return ViewPage{}, nil
	}
	r := ranges[0]
	if bytes.Compare(q.After, r.From) > 0 {
		r.From = q.After
	}
	var p ViewPage
	if len(ranges) > 1 {
		p.Next = ranges[1].From
	}
	var found []JobView
	read, size, chunk := 0, 0, q.Limit+1
	for pair, err := range e.store.Scan(ctx, r, viewJobs+1) {
		if err != nil {
			return ViewPage{}, unavailable(ctx, fmt.Errorf("list jobs: %w", err))
		}
		if read == viewJobs || size > viewBytes {
			p.Next = bytes.Clone(pair.Key)
			break
		}
		read++
		k, err := record.ParseJobKey(pair.Key)
		if err != nil {
			e.quarantine.Report(ctx, pair.Key, len(pair.Value), err)
			continue
		}
		p.Scanned, p.Last, size = p.Scanned+1, k, size+len(pair.Value)
		if !q.Selects(k) {
			continue
		}
		v, err := e.view(ctx, k, pair.Value)
		if err != nil {
			return ViewPage{}, err
		}
		if v.Spec != nil {
			found = append(found, v)
		}
		if len(found) >= chunk {
			if full, err := e.match(ctx, &p, q, found); full || err != nil {
				return p, err
			}
			found, chunk = found[:0], 2*chunk
		}
	}
	_, err := e.match(ctx, &p, q, found)
	return p, err
}

// match adds those of the jobs to p that q matches, with their states. If there are more than the
// limit of q, it ends the page and returns true.
func (e *Engine) match(ctx context.Context, p *ViewPage, q ViewQuery, found []JobView) (full bool, err error) {
	keys := make([][]byte, len(found))
	for i, v := range found {
		keys[i] = record.StateKey(v.Key)
	}
	states, err := e.store.Get(ctx, keys...)
	if err != nil {
		return false, unavailable(ctx, fmt.Errorf("list jobs: %w", err))
	}
	for i := range found {
		v := &found[i]
		e.addState(ctx, v, states[i])
		if v.Spec == nil || q.Match != nil && !q.Match(v) {
			continue
		}
		if len(p.Views) == q.Limit {
			last := p.Views[q.Limit-1].Key
			p.Next, p.Last = record.KeyAfter(last), last
			return true, nil
		}
		p.Views = append(p.Views, *v)
	}
	return false, nil
}
