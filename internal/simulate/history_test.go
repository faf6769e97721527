package simulate_test

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"carillon/internal/job"
	"carillon/internal/when"
)

// A what says what an event is.
type what string

const (
	asked     what = "asks"     // a user: call
	answered  what = "hears"    // the answer to call
	resolved  what = "resolved" // a schedule call has reached the engine of a node
	delivered what = "delivers" // the engine's deliverer has taken a trigger: call
	refused   what = "refuses"  // it has not: the lane is parked
	room      what = "room"     // a parked lane was told that there is room
	ended     what = "ended"    // a delivery: call
	commits   what = "commits"  // to the store: call
	committed what = "stored"   // call; or not, and text says why
	unread    what = "unread"   // the store returned an error for a read
	arrived   what = "gets"     // an app, a trigger: call
	left      what = "answers"  // it has answered, or its caller has gone: call
	owns      what = "owns"     // a node, a partition
	letsGo    what = "lets go"  // a node, of a partition
	health    what = "health"   // of a node, when it has changed; green if text is empty
	began     what = "began"    // a node
	died      what = "is gone"  // a node; text says how
	stepped   what = "steps"    // a clock: by ahead in all
	fault     what = "fault"
)

// An event is something that happened in a world. What it is says which fields mean something.
type event struct {
	seq  int           // its place in the history
	at   time.Duration // since the world began
	what what
	who  string // user, app or node
	life int    // of the node, from 1
	call int    // what belongs together
	text string // of what arrived at a sidecar that is not ours: the node that it is from

	op        op
	key       string // app/name
	version   int    // of the job, which its payload says
	overwrite bool
	words     when.Words
	plan      when.Plan
	policy    job.Policy
	due       time.Time
	attempt   uint32
	outcome   job.Outcome
	result    result
	found     map[string]int // key: version, of a list

	redelivered int           // what the metric says of a life
	turns       float64       // that a command has waited in it at most, as its metric says
	ahead       time.Duration // of what a clock should show
	limit       int           // how many reminders its actor type bears at once
	partition   int
}

// An op is what a user asks for.
type op string

const (
	schedule  op = "schedule"
	remove    op = "delete"
	get       op = "get"
	list      op = "list"
	removeAll op = "delete all of"
)

// A result is the answer to a user.
type result string

const (
	done    result = "done"
	exists  result = "exists already"
	absent  result = "not found"
	invalid result = "invalid" // it was not stored, for certain
	unknown result = "unknown" // it may have been done, or not
)

// A history is all that happened, in order.
type history struct {
	began time.Time

	mu     sync.Mutex // guards the fields below
	events []event
	gone   map[int]bool // lives that have ended: nothing of what they do is part of the world
	calls  int
}

func newHistory() *history { return &history{began: time.Now(), gone: map[int]bool{}} }

// add appends an event, which happens now, and returns its place. Of a node that is gone it keeps only what may have
// become part of the store at the last moment: what was asked of it, and how deliveries ended.
func (h *history) add(e event) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.gone[e.life] && e.what != resolved && e.what != ended {
		return -1
	}
	return h.append(e)
}

func (h *history) append(e event) int {
	e.seq, e.at = len(h.events), time.Since(h.began)
	h.events = append(h.events, e)
	return e.seq
}

// change changes the event at that place, if there is one.
func (h *history) change(seq int, f func(*event)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if seq >= 0 {
		f(&h.events[seq])
	}
}

// call returns the number of a new call.
func (h *history) call() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.calls++
	return h.calls
}

// end says that a life has ended, and what its metrics say.
func (h *history) end(life int, how string, m *metrics) {
	h.mu.Lock()
	defer h.mu.Unlock()
	redelivered, turns := m.read() // what the history tells of until now was counted before
	h.append(event{what: died, who: "node", life: life, text: how, redelivered: redelivered, turns: turns})
	h.gone[life] = true
}

// all returns the events so far. They must not be changed any more.
func (h *history) all() []event {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.events
}

// text is the history for a person to read: what concerns these keys, or everything if there are none; and the faults.
func (h *history) text(keys map[string]bool) string {
	var b strings.Builder
	concerned := map[int]bool{}
	for _, e := range h.all() {
		switch {
		case len(keys) == 0, keys[e.key], e.what == fault, e.what == stepped, e.what == began, e.what == died, e.what == health:
		case e.what == asked && e.op != schedule && keyOf(keys, e.key):
		case e.call != 0 && concerned[e.call]:
		default:
			continue
		}
		concerned[e.call] = e.call != 0
		fmt.Fprintln(&b, h.line(e))
	}
	return b.String()
}

// keyOf reports whether an operation on all jobs of an app is about one of the keys.
func keyOf(keys map[string]bool, app string) bool {
	for k := range keys {
		if strings.HasPrefix(k, app+"/") {
			return true
		}
	}
	return false
}

// line is one event.
func (h *history) line(e event) string {
	who := e.who
	if e.life != 0 {
		who = fmt.Sprintf("node %d", e.life)
	}
	s := fmt.Sprintf("%12.6fs  %-8s %-8s", e.at.Seconds(), who, e.what)
	which := fmt.Sprintf(" %s v%d", e.key, e.version)
	switch e.what {
	case asked:
		s += fmt.Sprintf(" #%d %s %s", e.call, e.op, e.key)
		if e.op == schedule {
			s += fmt.Sprintf(" v%d %s", e.version, e.text)
		}
	case answered:
		s += fmt.Sprintf(" #%d %s", e.call, e.result)
		if e.op == get && e.result == done {
			s += fmt.Sprintf(", v%d", e.version)
		}
		if e.op == list && e.result == done {
			s += fmt.Sprintf(", %v", e.found)
		}
		if e.text != "" {
			s += ": " + e.text
		}
	case resolved:
		s += which + fmt.Sprintf(", first due %s", h.since(e.plan.First))
	case delivered, refused:
		s += which + fmt.Sprintf(", due %s, attempt %d, as #%d", h.since(e.due), e.attempt, e.call)
	case ended:
		s += which + fmt.Sprintf(", #%d %s", e.call, e.outcome)
	case arrived:
		s += which + fmt.Sprintf(", as #%d", e.call)
		if e.text != "" {
			s += " from " + e.text
		}
	case left:
		s += which + fmt.Sprintf(", #%d: %s", e.call, e.text)
	case room:
		s += " " + e.key
	case health:
		if e.text == "" {
			return s + " green"
		}
		s += " red: " + strings.ReplaceAll(e.text, "\n", "; ")
	default:
		if e.call != 0 {
			s += fmt.Sprintf(" #%d", e.call)
		}
		s += " " + e.text
	}
	return s
}

// since is an instant as the history's lines have it.
func (h *history) since(t time.Time) string {
	return fmt.Sprintf("%.6fs", t.Sub(h.began).Seconds())
}

// random returns a sequence of random numbers about something, which depends on the seed and on nothing else.
func random(seed uint64, about ...any) *rand.Rand {
	sum := fnv.New64a()
	fmt.Fprint(sum, about...)
	return rand.New(rand.NewPCG(seed, sum.Sum64()))
}
