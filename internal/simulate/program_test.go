package simulate_test

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"carillon/internal/when"
)

// A program is all that a seed decides: who does what, what goes wrong, and when. The same seed makes the same program.
type program struct {
	seed       uint64
	nodes      int
	cluster    bool // they share a store
	partitions int
	loops      int
	maxOut     int // triggers out with a stream
	turn       int // commands and outcomes in a turn
	inFlight   int // triggers; none of a target's guaranteed part count
	apps       []appProgram
	users      []userProgram
	faults     []faultProgram
}

// The trouble ends at calm; at rest users have done what they do; the world ends at end.
const (
	calm  = 60 * time.Second
	rest  = 75 * time.Second
	end   = 150 * time.Second
	grace = 20 * time.Second // what became due before end by so much has to have arrived
)

// An appProgram is an app with some copies, each beside a sidecar.
type appProgram struct {
	id      string
	foreign bool // its sidecars are not ours: they speak Dapr's protocol, and are capable of anything
	actor   bool // it is an actor type, whose jobs are reminders; its sidecars are foreign
	limit   int  // how many reminders of an actor type may be with its sidecars at once; any number if zero
	grpc    bool // it is called over gRPC
	copies  []copyProgram
}

type copyProgram struct {
	name  string
	moods []moodChange
}

// A mood is how an app takes triggers.
type mood string

const (
	fine    mood = "fine"
	slow    mood = "slow"
	flaky   mood = "flaky"   // each call as it comes
	failing mood = "failing" // every call
	hanging mood = "hanging" // until the mood changes
	unaware mood = "unaware" // it does not know its jobs, which is as good as handled
	away    mood = "away"    // it does not listen
)

type moodChange struct {
	at   time.Duration
	mood mood
}

// A userProgram is a user, who takes one step after the other.
type userProgram struct {
	name   string
	direct bool // not by way of a sidecar of ours
	steps  []step
}

type step struct {
	at        time.Duration // or later, if the step before takes longer
	op        op
	app, name string // of a reminder, the name is the actor's id and its own
	version   int
	words     when.Words
	policy    string // as JSON
	overwrite bool
}

func (s step) String() string {
	if s.op != schedule {
		return fmt.Sprintf("%v %s %s/%s", s.at, s.op, s.app, s.name)
	}
	return fmt.Sprintf("%v %s %s/%s v%d %s", s.at, s.op, s.app, s.name, s.version, s.spec())
}

// spec is what the user wants, in JSON but for the payload.
func (s step) spec() string {
	var parts []string
	text := func(name string, value *string) {
		if value != nil {
			parts = append(parts, fmt.Sprintf("%q: %q", name, *value))
		}
	}
	text("dueTime", s.words.DueTime)
	text("schedule", s.words.Schedule)
	text("ttl", s.words.TTL)
	if s.words.Repeats != nil {
		parts = append(parts, fmt.Sprintf(`"repeats": %d`, *s.words.Repeats))
	}
	if s.policy != "" {
		parts = append(parts, `"failurePolicy": `+s.policy)
	}
	if s.overwrite {
		parts = append(parts, `"overwrite": true`)
	}
	return strings.Join(parts, ", ")
}

// A faultProgram is something that goes wrong. What it is says which fields mean something.
type faultProgram struct {
	at      time.Duration
	host    int // that it is about
	kind    faultKind
	lasts   time.Duration
	who     string // whose connections; empty: all
	up      bool   // the direction that is cut
	n       int    // writes, errors, a percentage, or milliseconds
	percent int    // of what was not synced that is kept
	quietly bool
	of      string // which files
}

type faultKind string

const (
	powerCut   faultKind = "the power will be cut at a write"
	stop       faultKind = "the node stops"
	resetLinks faultKind = "connections are reset"
	cutWay     faultKind = "one way is cut"
	delayed    faultKind = "the network is slow"
	slowDisk   faultKind = "the disk is slow"
	hungDisk   faultKind = "the disk hangs"
	fullDisk   faultKind = "the disk is full"
	noSpace    faultKind = "writes find no space"
	badWrites  faultKind = "writes fail"
	badReads   faultKind = "reads fail"
	paused     faultKind = "the node is paused"
	killed     faultKind = "a sidecar is killed"
	clockStep  faultKind = "the clock is stepped"
)

func (f faultProgram) String() string {
	s := fmt.Sprintf("%v host %d: %s", f.at, f.host+1, f.kind)
	if f.lasts > 0 {
		s += fmt.Sprintf(" for %v", f.lasts)
	}
	if f.who != "" {
		s += " of " + f.who
	}
	switch f.kind {
	case powerCut:
		s += fmt.Sprintf(" in %d, keeping %d%%, quietly=%v", f.n, f.percent, f.quietly)
	case cutWay:
		s += fmt.Sprintf(", to the scheduler=%v", f.up)
	case clockStep:
		s += fmt.Sprintf(" by %v", time.Duration(f.n)*time.Millisecond)
	case noSpace, badWrites, badReads:
		s += fmt.Sprintf(", %d of %q", f.n, f.of)
	default: // that is all
	}
	return s
}

// newProgram returns what the seed decides.
func newProgram(seed uint64) *program {
	r := random(seed, "program")
	p := &program{seed: seed, nodes: 1, partitions: 1 + r.IntN(8), loops: 1 + r.IntN(3), maxOut: []int{1, 3, 1000}[r.IntN(3)]}
	narrow := random(seed, "narrow") // so narrow that much waits for its turn
	p.turn, p.inFlight = []int{2, 7, 512}[narrow.IntN(3)], []int{1, 20, 1 << 16}[narrow.IntN(3)]
	for i, foreign := range []bool{false, r.IntN(2) == 0, true} {
		a := appProgram{id: fmt.Sprint("app", i+1), foreign: foreign}
		if other := r.IntN(2) == 0; foreign && other {
			a.id, a.actor, a.limit = fmt.Sprint("actor", i+1), true, r.IntN(4)
		} else {
			a.grpc = other
		}
		for c := range 1 + r.IntN(2) {
			name := fmt.Sprintf("%s%c", a.id, 'a'+c)
			a.copies = append(a.copies, copyProgram{name, moods(random(seed, name))})
		}
		p.apps = append(p.apps, a)
	}
	version := 0
	for i := range 2 + r.IntN(3) {
		u := userProgram{name: fmt.Sprint("user", i+1), direct: r.IntN(2) == 0}
		u.steps = p.steps(random(seed, u.name), &version)
		p.users = append(p.users, u)
	}
	for i := range r.IntN(8) {
		p.faults = append(p.faults, p.fault(random(seed, "fault", i)))
	}
	return p
}

// newCluster returns what the seed decides for one to three nodes that share a store.
func newCluster(seed uint64) *program {
	p := newProgram(seed)
	r := random(seed, "cluster")
	p.nodes, p.cluster = 1+r.IntN(3), true
	for i := range p.faults {
		p.faults[i].host = r.IntN(p.nodes)
	}
	return p
}

func moods(r *rand.Rand) []moodChange {
	all := []mood{fine, fine, slow, flaky, failing, hanging, unaware, away}
	var changes []moodChange
	for at := time.Duration(0); at < calm; at += seconds(r, 1, 25) {
		changes = append(changes, moodChange{at, all[r.IntN(len(all))]})
	}
	return append(changes, moodChange{calm, fine})
}

func (p *program) steps(r *rand.Rand, version *int) []step {
	var steps []step
	for at := time.Duration(0); at < rest; at += seconds(r, 0, 8) {
		app := p.apps[r.IntN(len(p.apps))]
		s := step{at: at, app: app.id, name: fmt.Sprint("job", 1+r.IntN(4))}
		all := "" // jobs of the app; of an actor type all reminders, or those of one actor
		if app.actor {
			actor := strconv.Itoa(1 + r.IntN(2))
			s.name = fmt.Sprint(actor, "/job", 1+r.IntN(2))
			all = []string{"", actor}[r.IntN(2)]
		}
		switch n := r.IntN(100); {
		case n < 55:
			*version++
			s.op, s.version, s.overwrite = schedule, *version, r.IntN(2) == 0
			s.words, s.policy = words(r), policy(r)
		case n < 70:
			s.op = remove
		case n < 88:
			s.op = get
		case n < 98:
			s.op, s.name = list, all
		default:
			s.op, s.name = removeAll, all
		}
		steps = append(steps, s)
	}
	return steps
}

// words are of every kind that makes sense within minutes.
func words(r *rand.Rand) when.Words {
	var w when.Words
	if r.IntN(3) > 0 {
		switch r.IntN(5) {
		case 0: // an instant, which may have passed
			begin := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) // the start of every simulated world
			w.DueTime = new(begin.Add(seconds(r, 0, 80)).Format(time.RFC3339))
		case 1:
			w.DueTime = new(fmt.Sprintf("PT%dS", r.IntN(30)))
		default:
			w.DueTime = new(seconds(r, 0, 30).String())
		}
	}
	if w.DueTime != nil && r.IntN(2) == 0 {
		return w
	}
	switch r.IntN(4) {
	case 0:
		w.Schedule = new([]string{
			"*/5 * * * * *", "7,19,44 * * * * *", "0 * * * * *", "TZ=Asia/Kolkata 30 * * * * *", "@hourly",
		}[r.IntN(5)])
	case 1:
		w.Schedule = new("@every " + seconds(r, 1, 4).String())
	default:
		w.Schedule = new(fmt.Sprintf("@every %ds", 2+r.IntN(20)))
	}
	if r.IntN(2) == 0 {
		w.Repeats = new(uint32(1 + r.IntN(6)))
	}
	if r.IntN(4) == 0 {
		w.TTL = new(seconds(r, 1, 60).String())
	}
	return w
}

// policy is one of every kind. One without an interval has a last attempt: an app that fails at once would have all of
// them at one instant.
func policy(r *rand.Rand) string {
	switch r.IntN(6) {
	case 0:
		return `{"drop": {}}`
	case 1:
		return fmt.Sprintf(`{"constant": {"interval": "%ds"}}`, 1+r.IntN(4))
	case 2:
		return fmt.Sprintf(`{"constant": {"interval": "%ds", "maxRetries": %d}}`, r.IntN(5), r.IntN(4))
	case 3:
		return fmt.Sprintf(`{"constant": {"maxRetries": %d}}`, r.IntN(4))
	default:
		return ""
	}
}

func (p *program) fault(r *rand.Rand) faultProgram {
	f := faultProgram{at: seconds(r, 1, 50)}
	f.lasts = min(seconds(r, 1, 20), calm-f.at)
	copies := p.copies()
	switch r.IntN(16) {
	case 0, 1:
		f.kind, f.n, f.percent, f.quietly = powerCut, 1+r.IntN(40), r.IntN(101), r.IntN(3) == 0
		f.lasts = seconds(r, 0, 12) // how long it is off
	case 2:
		f.kind, f.lasts = stop, seconds(r, 0, 12)
	case 3:
		f.kind, f.lasts = resetLinks, 0
		if r.IntN(2) == 0 {
			f.who = copies[r.IntN(len(copies))]
		}
	case 4:
		f.kind, f.who, f.up = cutWay, copies[r.IntN(len(copies))], r.IntN(2) == 0
	case 5:
		f.kind, f.n = delayed, 1+r.IntN(2000)
	case 6:
		f.kind, f.n = slowDisk, 1+r.IntN(1500)
	case 7:
		f.kind = hungDisk
	case 8:
		f.kind = fullDisk
	case 9:
		f.kind, f.n, f.of = noSpace, 1+r.IntN(20), []string{".sst", ".sst", ".log", ""}[r.IntN(4)]
	case 10:
		f.kind, f.n, f.of = badWrites, 1+r.IntN(3), []string{".sst", ".log", "MANIFEST", ""}[r.IntN(4)]
	case 11:
		f.kind, f.n, f.of = badReads, 1+r.IntN(6), []string{".sst", ""}[r.IntN(2)]
	case 12:
		f.kind = paused
	case 13, 14:
		most := []int{50, 2000, 30_000, 100_000}[r.IntN(4)]
		f.kind, f.n = clockStep, r.IntN(2*most)-most
	default:
		f.kind, f.who = killed, copies[r.IntN(len(copies))]
	}
	return f
}

// copies returns the names of all copies of all apps.
func (p *program) copies() []string {
	var all []string
	for _, a := range p.apps {
		for _, c := range a.copies {
			all = append(all, c.name)
		}
	}
	return all
}

// seconds returns a duration between two numbers of seconds: one in four in whole seconds, so that things coincide.
func seconds(r *rand.Rand, from, to int) time.Duration {
	d := time.Duration(from)*time.Second + time.Duration(r.Int64N(int64(to-from)*int64(time.Second)))
	if r.IntN(4) == 0 {
		return d.Truncate(time.Second) + time.Duration(min(from, 1))*time.Second
	}
	return d.Truncate(time.Millisecond) + time.Millisecond
}

// String is for a person to read.
func (p *program) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d: %d nodes, %d partitions in %d loops, %d out with a stream, %d in a turn, %d in flight\n",
		p.seed, p.nodes, p.partitions, p.loops, p.maxOut, p.turn, p.inFlight)
	for _, a := range p.apps {
		for _, c := range a.copies {
			fmt.Fprintf(&b, "  %s (foreign=%v, gRPC=%v, limit %d) is", c.name, a.foreign, a.grpc, a.limit)
			for _, m := range c.moods {
				fmt.Fprintf(&b, " %s from %v,", m.mood, m.at)
			}
			fmt.Fprintln(&b)
		}
	}
	for _, f := range p.faults {
		fmt.Fprintln(&b, " ", f)
	}
	for _, u := range p.users {
		fmt.Fprintf(&b, "  %s (direct=%v)\n", u.name, u.direct)
		for _, s := range u.steps {
			fmt.Fprintln(&b, "    ", s)
		}
	}
	return b.String()
}
