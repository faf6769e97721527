package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"carillon/internal/job"
	"carillon/internal/store"
)

// TestScripts runs the scripts in testdata: each drives one loop turn by turn, without a goroutine and without a
// clock, on a real store in memory, and shows what it writes and delivers. After every command the machine's invariants
// are checked. `go test ./internal/engine -rewrite` writes down what happens now; read it before you keep it.
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata/script", func(t *testing.T, path string) {
		s := newScript(t, 1)
		datadriven.RunTest(t, path, s.run)
	})
}

// A script is a loop whose world is under control: the time, the receivers' room, and the store's errors.
type script struct {
	*loop
	db    store.Store
	epoch time.Time
	now   time.Time
	limit limits

	room      map[string]int       // of an app; absent: no bound
	refused   map[laneID]func(int) // whose rooms have not been called
	out       map[string]delivered // by job name and number
	latest    map[string]int       // number of a job's last delivery
	events    []string
	delivered []string // what the model test compares
	reply     error    // to the last command
	failures  int      // of turns
	broken    error    // what the next commit returns, if not nil
	swallowed bool     // and it is not applied
}

type delivered struct {
	trigger job.Trigger
	done    func(job.Outcome)
}

// newScript returns a script with so many partitions, all in one loop, and room for all triggers.
func newScript(t *testing.T, partitions int) *script { return newNarrowScript(t, partitions, 1<<16) }

// newNarrowScript returns a script with up to that many triggers in flight.
func newNarrowScript(t *testing.T, partitions, maxInFlight int) *script {
	s := &script{
		db: openStore(t), epoch: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
		limit: limits{most: 512, bytes: 1 << 20, fires: 256},
		room:  map[string]int{}, refused: map[laneID]func(int){}, out: map[string]delivered{}, latest: map[string]int{},
	}
	s.now = s.epoch
	var all []int
	for id := range partitions {
		all = append(all, id)
	}
	s.loop = newLoop(all, Config{Partitions: partitions, Loops: 1, Inbox: 1024, MaxInFlight: maxInFlight, Now: time.Now}, s, s, logTo(t), newMetrics(nil), newQuarantine(nil, logTo(t), nil), newGivenUp(logTo(t)))
	s.load(t)
	return s
}

// load has the loop forget what it knows, and learn it afresh.
func (s *script) load(t *testing.T) {
	t.Helper()
	s.lose()
	for _, p := range s.partitions {
		s.inbox.expect(p)
		fronts, err := s.fronts(t.Context(), p)
		if err != nil {
			t.Fatal(err)
		}
		s.move([]move{{tenure: &tenure{partition: p, fence: fenceOf(p), claim: sole{}, fronts: fronts, over: make(chan struct{})}}})
	}
}

// fenceOf is the proof of owning a partition in a script.
func fenceOf(partition int) store.Fence {
	return store.Fence{Key: fmt.Sprint("claim/", partition), Revision: 1}
}

func (s *script) run(t *testing.T, d *datadriven.TestData) string {
	s.events = nil
	switch d.Cmd {
	case "schedule":
		s.schedule(t, d)
	case "delete":
		s.remove(t, key(d))
	case "wait":
		s.wait(t, s.now.Add(duration(t, d.CmdArgs[0].Key)))
	case "sleep": // time passes, and the loop has no turn: what is due meets the next command in one
		s.now = s.now.Add(duration(t, d.CmdArgs[0].Key))
	case "settle":
		s.settle(t, d)
		s.idle(t)
	case "room":
		s.setRoom(t, d)
		s.idle(t)
	case "break":
		s.broken, s.swallowed = errors.New("the disk says no"), d.HasArg("unapplied")
	case "damage": // behind the loop's back
		var b store.Batch
		b.Put(jobKey(key(d)), []byte("no record"))
		if err := s.db.Commit(t.Context(), &b); err != nil {
			t.Fatal(err)
		}
		return "" // the index names what cannot be read
	case "reload":
		s.load(t)
		s.idle(t)
	case "limit":
		d.ScanArgs(t, "fires", &s.limit.fires)
	case "show":
		s.show()
	default:
		d.Fatalf(t, "no such command")
	}
	if err := s.check(t.Context()); err != nil {
		t.Fatalf("%s: after %s: %v", d.Pos, d.Cmd, err)
	}
	return strings.Join(append(s.events, ""), "\n")
}

func (s *script) say(format string, args ...any) {
	s.events = append(s.events, fmt.Sprintf(format, args...))
}

func (s *script) schedule(t *testing.T, d *datadriven.TestData) {
	k := key(d)
	spec := job.Spec{AppID: k.Target.Name, Policy: job.DefaultPolicy()}
	text := func(name string) (string, bool) {
		if !d.HasArg(name) {
			return "", false
		}
		var v string
		d.ScanArgs(t, name, &v)
		return v, true
	}
	if v, ok := text("in"); ok {
		spec.Words.DueTime = new(v)
	}
	if v, ok := text("every"); ok {
		spec.Words.Schedule = new("@every " + v)
	}
	if v, ok := text("ttl"); ok {
		spec.Words.TTL = new(v)
	}
	if v, ok := text("repeats"); ok {
		spec.Words.Repeats = new(uint32(number(t, v)))
	}
	if v, ok := text("retry"); ok {
		spec.Policy = job.Policy{MaxRetries: new(uint32(number(t, v)))}
	}
	if v, ok := text("after"); ok {
		spec.Policy.Interval = new(duration(t, v))
	}
	spec.Policy.Drop = d.HasArg("drop")
	if err := spec.Resolve(s.now); err != nil {
		t.Fatal(err)
	}
	s.put(t, k, spec, d.HasArg("overwrite"))
}

func (s *script) put(t *testing.T, k job.Key, spec job.Spec, overwrite bool) {
	encoded := encodeSpec(k, &spec)
	s.command(t, k, func(m *machine, old record) error { return m.schedule(k, &spec, encoded, overwrite, old) })
}

func (s *script) remove(t *testing.T, k job.Key) {
	s.command(t, k, func(m *machine, old record) error { m.remove(k, old); return nil })
}

func (s *script) command(t *testing.T, k job.Key, decide func(*machine, record) error) {
	c := &command{key: k, partition: partitionOf(k, s.machine.partitions), decide: decide, done: make(chan error, 1)}
	if !s.inbox.slots.TryAcquire(s.inbox.slotsOf(c)) {
		t.Fatal("the inbox is full")
	}
	s.inbox.add(func() { s.inbox.commands.Push(c.key.Target, c) })
	s.idle(t)
	if s.reply = <-c.done; s.reply != nil {
		s.say("error: %v", s.reply)
	}
}

// idle has turns until there is nothing to do at this moment.
func (s *script) idle(t *testing.T) {
	for {
		if err := s.turn(t.Context(), s.now, s.limit); err != nil {
			s.say("turn: %v", err)
			s.failures++
			s.load(t)
			continue
		}
		s.strain.until = 0 // a store that was full is tried again at once
		if at, ok := s.machine.next(); !s.inbox.busy() && (!ok || at.After(s.now)) {
			return
		}
		if err := s.checkMachine(); err != nil {
			t.Fatalf("between two turns: %v", err)
		}
	}
}

// wait lets time pass from one due instant to the next.
func (s *script) wait(t *testing.T, until time.Time) {
	for {
		at, ok := s.machine.next()
		if !ok || at.After(until) {
			break
		}
		s.now = at
		s.idle(t)
	}
	s.now = until
}

func (s *script) settle(t *testing.T, d *datadriven.TestData) {
	name := d.CmdArgs[0].Key
	number := s.latest[name]
	if d.HasArg("delivery") {
		d.ScanArgs(t, "delivery", &number)
	}
	out, ok := s.out[fmt.Sprintf("%s %d", name, number)]
	if !ok {
		d.Fatalf(t, "%s was never delivered as %d", name, number)
	}
	for _, o := range []job.Outcome{job.Handled, job.Failed, job.Lost} {
		if d.HasArg(o.String()) {
			out.done(o)
		}
	}
}

func (s *script) setRoom(t *testing.T, d *datadriven.TestData) {
	app := d.CmdArgs[0].Key
	var n int
	d.ScanArgs(t, "for", &n)
	s.room[app] = n
	for id, again := range s.refused {
		if id.target.Name == app && n > 0 {
			delete(s.refused, id)
			again(n)
		}
	}
}

func (s *script) show() {
	for _, id := range slices.SortedFunc(maps.Keys(s.machine.lanes), func(a, b laneID) int {
		return strings.Compare(a.target.String(), b.target.String())
	}) {
		l := s.machine.lanes[id]
		names := make([]string, len(l.window))
		for i, e := range l.window {
			names[i] = e.key.Name + "@" + e.due.Sub(s.epoch).String()
		}
		line := fmt.Sprintf("%s: window %v", id.target.Name, names)
		if l.more {
			line += " and more"
		}
		if l.place == parked {
			line += ", parked"
		}
		s.say("%s", line)
	}
}

// Deliver records t, if its app has room.
func (s *script) Deliver(t job.Trigger, done func(job.Outcome), again func(int)) bool {
	app := t.Key.Target.Name
	if n, bounded := s.room[app]; bounded && n == 0 {
		s.say("refuse %s", t.Key.Name)
		s.refused[laneID{t.Partition, t.Key.Target}] = again
		return false
	} else if bounded {
		s.room[app] = n - 1
	}
	number := int(s.machine.out[t.Key].number)
	s.latest[t.Key.Name] = number
	s.delivered = append(s.delivered, fmt.Sprintf("%s due %v attempt %d", t.Key.Name, t.Due.Unix(), t.Attempt))
	id := fmt.Sprintf("%s %d", t.Key.Name, number)
	s.out[id] = delivered{t, done}
	s.say("deliver %s as %d, due %v, attempt %d", t.Key.Name, number, t.Due.Sub(s.epoch), t.Attempt)
	if late := s.now.Sub(t.Due); late < 0 {
		panic(fmt.Sprintf("%s was delivered %v early", t.Key, -late))
	}
	return true
}

// check is that of the loop, and holds that those lanes wait for room that are parked.
func (s *script) check(ctx context.Context) error {
	for id := range s.refused {
		if l := s.machine.lanes[id]; l == nil || l.place != parked {
			return fmt.Errorf("lane %v waits for room, and is not parked", id)
		}
	}
	for id, l := range s.machine.lanes {
		if l.place == parked && s.refused[id] == nil {
			return fmt.Errorf("lane %v is parked, and does not wait for room", id)
		}
	}
	return s.loop.check(ctx)
}

// Withdraw lets go of a refusal.
func (s *script) Withdraw(target job.Target, partition int) {
	delete(s.refused, laneID{partition, target})
}

// Commit shows what is written. It refuses a write without the proof of owning its partition.
func (s *script) Commit(ctx context.Context, b *store.Batch) error {
	for _, w := range b.Writes {
		if k, err := parseAbout(w.Key); err != nil || !slices.Contains(b.Fences, fenceOf(partitionOf(k, s.machine.partitions))) {
			panic(fmt.Sprintf("%s is written without a proof of owning its partition: %v, %v", s.describe(w), b.Fences, err))
		}
		verb := "put"
		if w.Remove {
			verb = "delete"
		}
		s.say("%s %s", verb, s.describe(w))
	}
	broken, swallowed := s.broken, s.swallowed
	s.broken, s.swallowed = nil, false
	if broken != nil && swallowed {
		return broken
	}
	return errors.Join(s.db.Commit(ctx, &store.Batch{Writes: b.Writes}), broken) // which has one writer
}

func (s *script) describe(w store.Write) string {
	p := keyParser{rest: w.Key}
	switch tag := p.byte(); tag {
	case tagDue:
		e, err := parseDue(w.Key)
		if err != nil {
			return err.Error()
		}
		return fmt.Sprintf("due/%s/%v/%s", e.key.Target.Name, e.due.Sub(s.epoch), e.key.Name)
	case tagJob, tagState:
		k := job.Key{Target: job.Target{Kind: job.Kind(p.byte()), Namespace: p.string(), Name: p.string()}, Name: p.string()}
		if tag == tagJob {
			return fmt.Sprintf("job/%s/%s", k.Target.Name, k.Name)
		}
		text := fmt.Sprintf("state/%s/%s", k.Target.Name, k.Name)
		if st, err := decodeState(k, w.Value); err == nil && !w.Remove {
			text += fmt.Sprintf(": settled %d, attempts %d, due %v", st.Settled, st.Attempts, st.Due.Sub(s.epoch))
		}
		return text
	default:
		return fmt.Sprintf("%x", w.Key)
	}
}

func (s *script) Get(ctx context.Context, keys ...[]byte) ([][]byte, error) {
	return s.db.Get(ctx, keys...)
}

func (s *script) Scan(ctx context.Context, r store.Range, limit int) pairs {
	return s.db.Scan(ctx, r, limit)
}

func (s *script) MaxBatch() (writes, bytes int) { return s.db.MaxBatch() }

func key(d *datadriven.TestData) job.Key {
	app := "app"
	if d.HasArg("app") {
		for _, a := range d.CmdArgs {
			if a.Key == "app" {
				app = a.Vals[0]
			}
		}
	}
	return job.Key{Target: job.Target{Kind: job.App, Namespace: "ns", Name: app}, Name: d.CmdArgs[0].Key}
}

func duration(t *testing.T, text string) time.Duration {
	t.Helper()
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func number(t *testing.T, text string) int {
	t.Helper()
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
