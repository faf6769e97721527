package engine

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"carillon/internal/engine/record"
	"carillon/internal/engine/storemeta"
	"carillon/internal/job"
)

// The most that one [Engine.ViewPage] reads: it holds little in memory, and ends soon.
const (
	viewJobs  = 1000
	viewBytes = 1 << 20
)

// A JobView is a stored job, and how far it has got.
type JobView struct {
	Key        job.Key
	Partition  int
	Spec       *job.Spec // as it was scheduled
	State      record.State
	Due        time.Time // when the next attempt is owed
	Occurrence time.Time // the due instant of the present occurrence
}

// A ViewQuery says which jobs [Engine.ViewPage] is to return.
type ViewQuery struct {
	job.Selector

	Match func(v *JobView) bool // which of the selected jobs; nil: all
	After []byte                // a cursor, where to begin; nil: at the beginning
	Limit int                   // the most jobs, at least 1
}

// A ViewPage is some jobs in the order of their keys: kind, namespace, target, actor id and name.
type ViewPage struct {
	Views   []JobView
	Next    []byte  // a cursor behind what was scanned; nil after the end
	Scanned int     // jobs that were read
	Last    job.Key // the last of them
}

// CursorBefore returns the cursor before a job: the page begins with it.
func CursorBefore(k job.Key) []byte { return record.JobKey(k) }

// ViewPage returns a page of the jobs that q selects, except those in quarantine. It reads about
// 1,000 jobs, or 1 MiB of them, at most, of one kind: a page may be empty and not the last. Any node of a
// cluster can read any page. What it returns would survive a power cut; the spec and the state of a
// job may be of two moments.
func (e *Engine) ViewPage(ctx context.Context, q ViewQuery) (ViewPage, error) {
	for {
		p, err := e.readViewPage(ctx, q)
		if err != nil {
			return ViewPage{}, err
		}
		if durable, err := e.waitAllDurable(ctx); durable || err != nil {
			return p, err
		}
	}
}

// Views returns the jobs with these keys; its spec is nil where there is none, or it is in
// quarantine. The spec and the state of a job are of one moment, and would survive a power cut.
func (e *Engine) Views(ctx context.Context, keys []job.Key) ([]JobView, error) {
	for {
		read := make([][]byte, 0, 2*len(keys))
		for _, k := range keys {
			read = append(read, record.JobKey(k), record.StateKey(k))
		}
		values, err := e.store.Get(ctx, read...)
		if err != nil {
			return nil, unavailable(ctx, fmt.Errorf("read %d jobs: %w", len(keys), err))
		}
		views := make([]JobView, len(keys))
		for i, k := range keys {
			if views[i], err = e.view(ctx, k, values[2*i]); err != nil {
				return nil, err
			}
			e.addState(ctx, &views[i], values[2*i+1])
		}
		if durable, err := e.waitAllDurable(ctx); durable || err != nil {
			return views, err
		}
	}
}

// waitAllDurable waits until what was read from the store would survive a power cut. It returns
// false if a commit failed, and the caller must read again.
func (e *Engine) waitAllDurable(ctx context.Context) (bool, error) {
	durable := true
	for _, lp := range e.loops {
		ok, err := lp.commit.Load().waitDurable(ctx, nil)
		if err != nil {
			return false, err
		}
		durable = durable && ok
	}
	return durable, nil
}

func (e *Engine) readViewPage(ctx context.Context, q ViewQuery) (ViewPage, error) {
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

// view returns the job k with this stored spec, which may be nil.
func (e *Engine) view(ctx context.Context, k job.Key, spec []byte) (JobView, error) {
	v := JobView{Key: k, Partition: e.Partition(k)}
	if spec == nil {
		return v, nil
	}
	if err := storemeta.MissingKey(ctx, e.rawStore, e.config.Keys, spec); err != nil {
		return v, unavailable(ctx, err)
	}
	s, err := record.DecodeSpec(k, spec)
	if err != nil {
		e.quarantine.Report(ctx, record.JobKey(k), len(spec), err)
		return v, nil
	}
	v.Spec = s
	return v, nil
}

// addState adds the stored state, which may be nil, to v. A job whose state cannot be read loses
// its spec.
func (e *Engine) addState(ctx context.Context, v *JobView, state []byte) {
	if v.Spec == nil {
		return
	}
	r := record.Record{Spec: v.Spec}
	if state != nil {
		s, err := record.DecodeState(v.Key, state)
		if err != nil {
			e.quarantine.Report(ctx, record.StateKey(v.Key), len(state), err)
			v.Spec = nil
			return
		}
		r.State, r.HasState = s, true
	}
	v.State, v.Due, v.Occurrence = r.State, r.Due(), r.Occurrence()
}
