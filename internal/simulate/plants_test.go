package simulate_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"carillon/internal/engine"
	"carillon/internal/job"
	"carillon/internal/scheduler"
	"carillon/internal/store"
)

// TestEachCheckerFindsABrokenPromise runs worlds in which nothing goes wrong but for a bug that is planted into the
// scheduler, or beside it, and holds that the checker of the promise that it breaks says so. It is the proof that a
// checker that says nothing has looked.
func TestEachCheckerFindsABrokenPromise(t *testing.T) {
	for _, c := range []struct {
		name, checker string
		plant         plant
		change        func(*program)
	}{
		{"it fires a second early", "early", plant{jobs: func(j scheduler.Jobs) scheduler.Jobs { return hasty{j} }}, nil},
		{"it acknowledges what it does not store", "lost", plant{store: forgetting}, nil},
		{"it skips an occurrence", "occurrences", plant{deliver: skipping}, nil},
		{"it does not believe that a trigger was handled", "duplicates", plant{deliver: doubting}, nil},
		{"a sidecar calls its app twice", "duplicates", plant{app: doubling}, nil},
		{"it sends a trigger to two at once", "single", plant{deliver: func(d engine.Deliverer) engine.Deliverer { return twin{d} }}, nil},
		{"it sends more reminders of an actor type than that bears", "limit", plant{unlimited: true}, slowApps},
		{"it does not delete", "silent", plant{jobs: func(j scheduler.Jobs) scheduler.Jobs { return keeping{j} }}, nil},
		{"it says that it has stored what exists", "linear", plant{jobs: func(j scheduler.Jobs) scheduler.Jobs { return pleasing{j} }}, nil},
		{"it misses that there is room", "health", plant{deliver: func(d engine.Deliverer) engine.Deliverer { return deaf{d} }}, lateApps},
		{"it is green whatever happens", "health", plant{health: content}, hungDisks},
		{"its clock is ahead of what it shows", "early", plant{now: func(t time.Time) time.Time { return t.Add(time.Second) }}, nil},
		{"it is green when a step of its clock made jobs due", "health", plant{health: content}, stepForward},
		{"it misses that its clock was stepped", "lost", plant{now: func(t time.Time) time.Time { return t.Round(0) }}, stepBack},
		{"a node of a cluster acknowledges what it does not store", "lost", plant{store: forgetting}, shared(nil)},
		{"a node of a cluster misses that there is room", "health", plant{deliver: func(d engine.Deliverer) engine.Deliverer { return deaf{d} }}, shared(lateApps)},
		{"a cluster without owners is green", "health", plant{health: content}, shared(cutOff)},
		{"it has calls wait for many turns", "turns", plant{jobs: func(j scheduler.Jobs) scheduler.Jobs { return crowd{j} }}, nil},
		{"a node that leaves a cluster counts nothing", "duplicates", plant{silent: true}, shared(leavingNodes)},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var found []finding
			for seed := range uint64(10) { // not every program meets every bug
				p := peaceful(seed)
				if c.change != nil {
					c.change(p)
				}
				found = check(simulate(t, p, c.plant, io.Discard))
				if slices.ContainsFunc(found, func(f finding) bool { return f.checker == c.checker }) {
					return
				}
			}
			t.Errorf("%s has found nothing; the last findings are %v", c.checker, found)
		})
	}
}

// peaceful is a program in which nothing goes wrong.
func peaceful(seed uint64) *program {
	p := newProgram(seed)
	p.faults = nil
	for _, a := range p.apps {
		for i := range a.copies {
			a.copies[i].moods = []moodChange{{0, fine}}
		}
	}
	return p
}

func TestCheckersPassWithoutFaults(t *testing.T) {
	p := peaceful(3)
	var log bytes.Buffer
	h := simulate(t, p, plant{}, &log)
	if found := check(h); len(found) > 0 {
		t.Errorf("%v\n%s\n%s\n%s", found, p, h.text(nil), log.String())
	}
}

// lateApps has all apps away for a while: their jobs find nobody.
func lateApps(p *program) {
	for _, a := range p.apps {
		for i := range a.copies {
			a.copies[i].moods = []moodChange{{0, away}, {20 * time.Second, fine}}
		}
	}
}

func hungDisks(p *program) {
	p.faults = []faultProgram{{at: 10 * time.Second, kind: hungDisk, lasts: 20 * time.Second}}
}

// content finds that all is well.
func content(error) error { return nil }

// shared makes a program one of a cluster, and changes it further.
func shared(further func(*program)) func(*program) {
	return func(p *program) {
		p.nodes, p.cluster = 1+int(p.seed%3), true
		if further != nil {
			further(p)
		}
	}
}

// slowApps makes each call of an app take its time.
func slowApps(p *program) {
	for _, a := range p.apps {
		for i := range a.copies {
			a.copies[i].moods = []moodChange{{0, slow}, {calm, fine}}
		}
	}
}

// leavingNodes has nodes stop while apps are at work.
func leavingNodes(p *program) {
	slowApps(p)
	for at := 10 * time.Second; at < 50*time.Second; at += 7 * time.Second {
		p.faults = append(p.faults, faultProgram{at: at, kind: stop, lasts: time.Second, host: len(p.faults) % p.nodes})
	}
}

// cutOff has no node reach the etcd for a while.
func cutOff(p *program) {
	for host := range p.nodes {
		p.faults = append(p.faults, faultProgram{at: 10 * time.Second, kind: hungDisk, lasts: 30 * time.Second, host: host})
	}
}

func stepForward(p *program) {
	p.faults = []faultProgram{{at: 9 * time.Second, kind: clockStep, n: 40_000, lasts: 50 * time.Second}}
	quietFrom(p, 8*time.Second)
}

// stepBack has the clock stepped back for a while, by more than the world lasts.
func stepBack(p *program) {
	p.faults = []faultProgram{{at: 20 * time.Second, kind: clockStep, n: -200_000, lasts: 30 * time.Second}}
	quietFrom(p, 18*time.Second)
}

// quietFrom has users do nothing more, so that nothing but time wakes a node.
func quietFrom(p *program, at time.Duration) {
	for i, u := range p.users {
		p.users[i].steps = slices.DeleteFunc(u.steps, func(s step) bool { return s.at > at })
	}
}

// hasty takes every job to be due a second before it is.
type hasty struct{ scheduler.Jobs }

func (j hasty) Schedule(ctx context.Context, k job.Key, s job.Spec, overwrite bool) error {
	s.Plan.First = s.Plan.First.Add(-time.Second)
	return j.Jobs.Schedule(ctx, k, s, overwrite)
}

func (j hasty) ScheduleAll(ctx context.Context, all []job.Request) []error {
	for i := range all {
		all[i].Spec.Plan.First = all[i].Spec.Plan.First.Add(-time.Second)
	}
	return j.Jobs.ScheduleAll(ctx, all)
}

// keeping does not delete.
type keeping struct{ scheduler.Jobs }

func (keeping) Delete(context.Context, job.Key) error { return nil }

// pleasing does not say that a job exists already.
type pleasing struct{ scheduler.Jobs }

func (j pleasing) Schedule(ctx context.Context, k job.Key, s job.Spec, overwrite bool) error {
	return pleased(j.Jobs.Schedule(ctx, k, s, overwrite))
}

func (j pleasing) ScheduleAll(ctx context.Context, all []job.Request) []error {
	errs := j.Jobs.ScheduleAll(ctx, all)
	for i, err := range errs {
		errs[i] = pleased(err)
	}
	return errs
}

func pleased(err error) error {
	if errors.Is(err, job.ErrExists) {
		return nil
	}
	return err
}

// A forgetful store drops one batch in four, and says that it is stored.
type forgetful struct {
	store.Store
	commits *atomic.Int64
}

func forgetting(s store.Store) store.Store { return forgetful{s, new(atomic.Int64)} }

func (s forgetful) Commit(ctx context.Context, b *store.Batch) error {
	if s.commits.Add(1)%4 == 0 {
		return nil
	}
	return s.Store.Commit(ctx, b)
}

// A meddler is a deliverer that sometimes does something else with a trigger.
type meddler struct {
	engine.Deliverer
	// meddle returns whether it has dealt with t itself, and else what is to be called when t has ended.
	meddle func(t job.Trigger, done func(job.Outcome)) (dealt bool, instead func(job.Outcome))
}

func (m meddler) Deliver(t job.Trigger, done func(job.Outcome), room func(int)) bool {
	dealt, instead := m.meddle(t, done)
	return dealt || m.Deliverer.Deliver(t, instead, room)
}

// skipping says of every third trigger that it was handled, and does not send it.
func skipping(d engine.Deliverer) engine.Deliverer {
	var sent atomic.Int64
	return meddler{d, func(_ job.Trigger, done func(job.Outcome)) (bool, func(job.Outcome)) {
		if sent.Add(1)%3 == 0 {
			go done(job.Handled)
			return true, nil
		}
		return false, done
	}}
}

// doubting says of the first trigger of each job that it was lost, whatever became of it.
func doubting(d engine.Deliverer) engine.Deliverer {
	var seen sync.Map
	return meddler{d, func(t job.Trigger, done func(job.Outcome)) (bool, func(job.Outcome)) {
		if _, before := seen.LoadOrStore(t.Key, true); before {
			return false, done
		}
		return false, func(job.Outcome) { done(job.Lost) }
	}}
}

// twin sends each trigger twice, and believes the first of them.
type twin struct{ engine.Deliverer }

func (d twin) Deliver(t job.Trigger, done func(job.Outcome), room func(int)) bool {
	if !d.Deliverer.Deliver(t, done, room) {
		return false
	}
	d.Deliverer.Deliver(t, func(job.Outcome) {}, func(int) {})
	return true
}

// deaf ignores wake-ups about new capacity.
type deaf struct{ engine.Deliverer }

func (d deaf) Deliver(t job.Trigger, done func(job.Outcome), _ func(int)) bool {
	return d.Deliverer.Deliver(t, done, func(int) {})
}

// doubling has each call come to the app twice.
func doubling(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		again := r.Clone(r.Context())
		again.Body, r.Body = io.NopCloser(bytes.NewReader(body)), io.NopCloser(bytes.NewReader(body))
		h.ServeHTTP(discarded{http.Header{}}, again)
		h.ServeHTTP(w, r)
	})
}

// discarded is an answer that is dropped.
type discarded struct{ header http.Header }

func (d discarded) Header() http.Header         { return d.header }
func (d discarded) Write(p []byte) (int, error) { return len(p), nil }
func (d discarded) WriteHeader(int)             {}

// crowd has each job scheduled hundreds of times at once; each turn takes one of them.
type crowd struct{ scheduler.Jobs }

func (j crowd) Schedule(ctx context.Context, k job.Key, s job.Spec, overwrite bool) error {
	all := make([]job.Request, 301)
	for i := range all {
		all[i] = job.Request{Key: k, Spec: s, Overwrite: true}
	}
	all[300].Overwrite = overwrite
	return j.ScheduleAll(ctx, all)[300]
}
