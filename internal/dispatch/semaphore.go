package dispatch

import (
	"cmp"
	"slices"

	"github.com/gammazero/deque"

	"carillon/internal/job"
)

// A Limit bounds how many triggers of an actor type are out with streams at once: all of them, or those with one
// concurrency key. It holds for the actor type, whichever stream a trigger is out with, for as long as a stream that
// names it is connected. If several name it with different numbers, the one that connected last is right. What went out
// before there was a limit is not counted. In a cluster this node grants its [Share] of it.
type Limit struct {
	Target job.Target // an actor type; a limit of anything else is ignored
	Key    *string    // the concurrency key; nil: all triggers of the type
	Max    int        // in the whole cluster; a limit that is not positive is ignored
}

// Gates are the limits of one actor type at work. A trigger passes the gate of its type and that of its concurrency
// key, as far as there are such, and takes a slot at both. If either is full, it is held: it waits in line for both.
type gates struct {
	actor  string           // the type
	share  *Share           // of the dispatcher
	labels labels           // of the dispatcher
	whole  gate             // of all triggers of the type
	named  map[string]*gate // by concurrency key
	claims int              // of all gates together
	stale  bool             // a gate has got its first limit, or lost its last
	held   int              // triggers in the lines together
	bytes  int              // their sizes together
	last   uint64           // the number of the trigger that was held last
}

// A gate may exist without a limit: then it is open, and only counts.
type gate struct {
	of     *gates
	label  string  // in metrics
	limits []claim // in the order in which their streams connected; the last one is right
	out    int     // slots taken
	used   bool    // a trigger has come by

	// line are the triggers that wait and need this gate beside that of the type, which may be the same.
	line deque.Deque[held]
}

// A claim is what a stream says about a gate.
type claim struct {
	by  *Stream
	max int
}

// A held trigger waits at a gate.
type held struct {
	number uint64 // grows with time
	t      job.Trigger
	bytes  int
	done   func(job.Outcome)
}

func newGates(actor string, d *Dispatcher) *gates {
	g := &gates{actor: actor, share: &d.share, labels: d.labels, named: make(map[string]*gate)}
	g.whole.of, g.whole.label = g, d.labels.of(actor)
	return g
}

// claim notes what by says. The caller sorts afterwards.
func (g *gates) claim(by *Stream, l Limit) {
	at := &g.whole
	if l.Key != nil {
		if at = g.named[*l.Key]; at == nil {
			at = &gate{of: g, label: g.labels.of(g.actor + ":" + *l.Key)}
			g.named[*l.Key] = at
		}
	}
	g.stale = g.stale || !at.limited()
	at.limits = append(at.limits, claim{by, l.Max})
	g.claims++
}

// disclaim forgets what by has said. The caller sorts afterwards.
func (g *gates) disclaim(by *Stream) {
	for at := range g.all {
		n := len(at.limits)
		at.limits = slices.DeleteFunc(at.limits, func(c claim) bool { return c.by == by })
		g.claims -= n - len(at.limits)
		g.stale = g.stale || n > 0 && !at.limited()
	}
}

// sort puts every trigger that is held into the line in which it belongs now, and lets go of gates without a use.
func (g *gates) sort() {
	if !g.stale {
		return
	}
	g.stale = false
	for _, h := range g.releaseAll() {
		g.of(h.t).push(h)
	}
	for key, n := range g.named {
		if !n.limited() && n.out == 0 {
			delete(g.named, key)
		}
	}
}

// all yields every gate of g, the type's first.
func (g *gates) all(yield func(*gate) bool) {
	if !yield(&g.whole) {
		return
	}
	for _, n := range g.named {
		if !yield(n) {
			return
		}
	}
}

// of returns the gate in whose line t waits, if it has to.
func (g *gates) of(t job.Trigger) *gate {
	if t.ConcurrencyKey != nil {
		if n := g.named[*t.ConcurrencyKey]; n != nil && n.limited() {
			return n
		}
	}
	return &g.whole
}

// limited reports whether any stream limits the type or a key of it.
func (g *gates) limited() bool { return g.claims > 0 }

// idle reports whether g is without use.
func (g *gates) idle() bool { return g.held == 0 && g.whole.out == 0 && !g.limited() }

func (g *gate) limited() bool { return len(g.limits) > 0 }

// open reports whether g has a slot that is free.
func (g *gate) open() bool {
	return !g.limited() || g.out < g.of.share.of(g.limits[len(g.limits)-1].max)
}

// closed returns the gate that keeps out a trigger that waits in g's line; nil if none does.
func (g *gate) closed() *gate {
	switch {
	case !g.of.whole.open():
		return &g.of.whole
	case !g.open():
		return g
	default:
		return nil
	}
}

// enter takes the slots of a trigger that waits in g's line, or would.
func (g *gate) enter() { g.move(1) }

// leave frees all of them.
func (g *gate) leave() { g.move(-1) }

func (g *gate) move(n int) {
	g.of.whole.out += n
	g.of.whole.used = true
	if g != &g.of.whole {
		g.out += n
		g.used = true
	}
}

// hold puts a trigger into g's line.
func (g *gate) hold(t job.Trigger, bytes int, done func(job.Outcome)) {
	g.of.last++
	g.used, g.of.whole.used = true, true
	g.push(held{g.of.last, t, bytes, done})
}

func (g *gate) push(h held) {
	g.line.PushBack(h)
	g.of.held++
	g.of.bytes += h.bytes
}

// eldest returns the gate at which the trigger waits that has waited for the longest of those that may pass; nil if
// none may.
func (g *gates) eldest() *gate {
	if !g.whole.open() {
		return nil
	}
	var first *gate
	for at := range g.all {
		if at.line.Len() > 0 && at.open() && (first == nil || at.line.Front().number < first.line.Front().number) {
			first = at
		}
	}
	return first
}

// release takes the first trigger out of at's line.
func (g *gates) release(at *gate) held {
	h := at.line.PopFront()
	g.held--
	g.bytes -= h.bytes
	return h
}

// releaseAll empties every line, and returns who was in them, eldest first.
func (g *gates) releaseAll() []held {
	var all []held
	for at := range g.all {
		for at.line.Len() > 0 {
			all = append(all, g.release(at))
		}
	}
	slices.SortFunc(all, func(a, b held) int { return cmp.Compare(a.number, b.number) })
	return all
}

// A load is what a gate's metrics say.
type load struct {
	out, held int
}

// load adds what the metrics of g's gates say, by label. Who is held is held at the first gate that it needs.
func (g *gates) load(by map[string]load) {
	for at := range g.all {
		if !at.used || !at.limited() {
			continue
		}
		l := by[at.label]
		l.out += at.out
		switch {
		case at == &g.whole:
			l.held += g.held
		case !g.whole.limited():
			l.held += at.line.Len()
		}
		by[at.label] = l
	}
}
