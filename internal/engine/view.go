package engine

import (
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

// entry returns the entry of the due index that belongs to v.
func (v *JobView) entry() record.Entry {
	return record.Entry{Due: v.Due, Key: v.Key, Partition: v.Partition}
}

// An Order is an order of jobs in pages.
type Order uint8

const (
	// ByName orders jobs by their keys: kind, namespace, target, actor id and name.
	ByName Order = iota
	// ByDue orders jobs by when the next attempt at each is owed, and then by their keys.
	ByDue
)

// A ViewQuery says which jobs [Engine.ViewPage] is to return.
type ViewQuery struct {
	job.Selector

	Order Order
	Match func(v *JobView) bool // which of the selected jobs; nil: all
	After []byte                // a cursor, where to begin; nil: at the beginning
	Limit int                   // the most jobs, at least 1
}

// A ViewPage is some jobs in the order of the query.
type ViewPage struct {
	Views   []JobView
	Next    []byte    // a cursor behind what was scanned; nil after the end
	Scanned int       // jobs that were read
	Last    job.Key   // the last of them
	LastDue time.Time // when that is due, in due order
}

// Views returns the jobs with these keys; its spec is nil where there is none, or it is in
// quarantine. The spec and the state of a job are of one moment, and would survive a power cut.
func (e *Engine) Views(ctx context.Context, keys []job.Key) ([]JobView, error) {
	for {
		views, _, err := e.readViews(ctx, keys)
		if err != nil {
			return nil, err
		}
		if durable, err := e.waitAllDurable(ctx); durable || err != nil {
			return views, err
		}
	}
}

// readViews is Views for what may not be durable yet. It also returns the size of the specs.
func (e *Engine) readViews(ctx context.Context, keys []job.Key) (views []JobView, size int, err error) {
	read := make([][]byte, 0, 2*len(keys))
	for _, k := range keys {
		read = append(read, record.JobKey(k), record.StateKey(k))
	}
	values, err := e.store.Get(ctx, read...)
	if err != nil {
		return nil, 0, unavailable(ctx, fmt.Errorf("read %d jobs: %w", len(keys), err))
	}
	views = make([]JobView, len(keys))
	for i, k := range keys {
		if views[i], err = e.view(ctx, k, values[2*i]); err != nil {
			return nil, 0, err
		}
		e.addState(ctx, &views[i], values[2*i+1])
		size += len(values[2*i])
	}
	return views, size, nil
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
