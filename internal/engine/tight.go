package engine

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"carillon/internal/job"
	"carillon/internal/store"
)

// How a loop goes on when its store has no room. A store that says [job.ErrFull] has applied nothing and takes deletions
// yet. So the turn is taken back, as if it had not been, and the turns that follow write nothing but deletions: those
// that callers ask for, and those of jobs that are over. New jobs are refused. An outcome after which a job goes on is
// kept in memory until there is room; its job stays out, so it is not delivered twice. The store is tried again every few seconds.

// A strain is what a loop knows of a store that takes nothing but deletions.
type strain struct {
	wait  time.Duration // the latest; zero if the store takes everything
	until time.Duration // of the loop's elapsed time, when it is tried again
	kept  []outcome     // what it cannot record
	brim  bool          // no more is to be kept: nothing is fired
	full  func() error  // what the store says about being full; nil if it says nothing
}

// maxKept is how many outcomes a loop keeps that cannot be recorded. With more it fires nothing until there is room.
const maxKept = 4096

// The wait before a full store is tried again doubles from the first to the second.
const (
	minStrain = 250 * time.Millisecond
	maxStrain = 5 * time.Second
)

// on reports whether nothing but deletions is to be tried now.
func (s *strain) on(now time.Duration) bool {
	return now < s.until && (s.full == nil || s.full() != nil)
}

// idle reports whether what is due does not matter now: nothing is fired before the store is tried again.
func (s *strain) idle() bool { return s.brim && len(s.kept) > 0 }

// reconsider has the inbox take up what was kept.
func (lp *loop) reconsider() {
	if len(lp.strain.kept) > 0 {
		lp.inbox.again(work{outcomes: lp.strain.kept})
		lp.strain.kept = nil
	}
}

// take is what the inbox holds for a turn: if the store is full, only what deletions can do. New jobs are refused then, and
// the rest is kept.
func (lp *loop) take(limit limits) work {
	s := &lp.strain
	if s.on(lp.elapsed()) {
		w := lp.lighten(lp.inbox.take(limit.most, limit.bytes))
		s.brim = s.brim || len(s.kept) >= maxKept
		return w
	}
	lp.reconsider()
	w := lp.inbox.take(limit.most, limit.bytes)
	s.brim = s.brim && len(w.outcomes)+len(w.commands) > 0
	return w
}

func (lp *loop) lighten(w work) work {
	outcomes, commands := w.outcomes, w.commands
	w.outcomes, w.commands = nil, nil
	for _, o := range outcomes {
		if lp.machine.frees(o) {
			w.outcomes = append(w.outcomes, o)
		} else {
			lp.strain.kept = append(lp.strain.kept, o)
		}
	}
	for _, c := range commands {
		if c.stores {
			lp.inbox.reply(c, job.ErrFull)
		} else {
			w.commands = append(w.commands, c)
		}
	}
	return w
}

// frees reports whether o can be recorded by deletions.
func (m *machine) frees(o outcome) bool {
	if m.out[o.delivery.entry.Key] != o.delivery || o.delivery.replaced || o.outcome == job.Lost {
		return true // nothing is recorded
	}
	_, more := o.delivery.after(o.outcome)
	return !more
}

// rewind takes a turn back whose commit the store refused for want of room. What has left stays out.
func (lp *loop) rewind(ctx context.Context, w work, refused error) error {
	s := &lp.strain
	if s.wait == 0 {
		lp.log.LogAttrs(ctx, slog.LevelWarn, "the store has no room: what can be done by deletions goes on", slog.Any("err", refused))
	}
	s.wait = min(max(2*s.wait, minStrain), maxStrain)
	s.until = lp.elapsed() + s.wait
	lp.machine.unlearn()
	lp.inbox.again(w)
	for p, t := range lp.tenures {
		if t.until != 0 {
			continue
		}
		fronts, err := lp.fronts(ctx, p)
		if err != nil {
			return errors.Join(refused, err)
		}
		for _, f := range fronts {
			lp.machine.learn(f.entries, f.more)
		}
	}
	return nil
}

// committed notes that the store has taken b. If that was more than deletions, it has room.
func (lp *loop) committed(ctx context.Context, b *store.Batch) {
	if lp.strain.wait == 0 || !slices.ContainsFunc(b.Writes, func(w store.Write) bool { return !w.Remove }) {
		return
	}
	lp.strain.wait, lp.strain.brim = 0, false
	lp.log.LogAttrs(ctx, slog.LevelInfo, "the store has room again")
}

// unlearn takes back what has been decided since the last commit, and drops the lanes, which are to be learned afresh.
// What is out stays so.
func (m *machine) unlearn() {
	for _, d := range m.ended {
		m.out[d.entry.Key] = d
	}
	for _, d := range m.overtaken {
		d.replaced = false
	}
	m.ended, m.overtaken = nil, nil
	m.dropLanes()
	m.batch.Reset()
	for _, d := range m.out {
		d.next = nil
	}
}

// decided makes that what has been decided can be taken back no more. What has ended is in flight no longer.
func (m *machine) decided() {
	for _, d := range m.ended {
		m.unpick(d.entry)
	}
	m.resume()
	clear(m.ended)
	clear(m.overtaken)
	m.ended, m.overtaken = m.ended[:0], m.overtaken[:0]
}

// again puts w back to where take took it from.
func (i *inbox) again(w work) {
	i.add(func() {
		for _, o := range slices.Backward(w.outcomes) {
			i.outcomes.PushFront(o.target(), o)
		}
		for _, c := range slices.Backward(w.commands) {
			i.commands.PushFront(c.key.Target, c)
		}
		i.sort()
	})
}
