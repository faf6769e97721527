package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/prometheus/client_golang/prometheus"

	"carillon/internal/engine/machine"
	"carillon/internal/engine/quarantine"
	"carillon/internal/engine/record"
	"carillon/internal/fair"
	"carillon/internal/job"
	"carillon/internal/store"
)

// TestScripts runs the scripts in testdata: each drives one loop turn by turn, without a goroutine
// and without a clock, on a real store in memory, and shows what it writes and delivers, and each
// figure of its metrics and of what it holds that has changed. After every command the machine's
// invariants are checked. `go test ./internal/engine -rewrite` writes down what happens now; read
// it before you keep it.
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata/script", func(t *testing.T, path string) {
		synctest.Test(t, func(t *testing.T) { // so that the monotonic clock stands still, too
			s := newScript(t, 1)
			datadriven.RunTest(t, path, s.run)
		})
	})
}

// A script is a loop whose world is under control: the time, the receivers' room, and the store's errors.
type script struct {
	*loop
	db    store.Store
	epoch time.Time
	now   time.Time
	limit turnLimits

	room      map[string]int              // of an app; absent: no bound
	refused   map[record.LaneID]func(int) // whose rooms have not been called
	out       map[string]delivered        // by job name and number
	latest    map[string]int              // number of a job's last delivery
	saying    sync.Mutex                  // guards events where a commit goes on beside a turn
	events    []string
	delivered []string // what the model test compares
	sentAll   int      // how many were delivered ever
	sent      func()   // called for each, if not nil
	reply     error    // to the last command
	failures  int      // of turns
	broken    error    // what the next commit returns, if not nil
	swallowed bool     // and it is not applied
	full      bool     // nothing but deletions is applied
	blind     error    // what reads return, if not nil
	harmed    bool     // the store does not agree with itself
	dead      bool     // no partition is sure to be owned

	reg      *prometheus.Registry
	figures  map[string]string // as they were shown last
	lanes    map[string]string // likewise
	watching bool              // lanes are shown after each command that changes them
	quota    float64           // triggers per second of the namespace; 0 means no limit
	rates    *fair.Rates[string]
}

type delivered struct {
	trigger job.Trigger
	done    func(job.Outcome)
}

// newScript returns a script with so many partitions, all in one loop, and room for all triggers.
func newScript(t *testing.T, partitions int) *script { return newNarrowScript(t, partitions, 1<<16) }

// newNarrowScript returns a script with up to that many triggers in flight.
func newNarrowScript(t *testing.T, partitions, maxInFlight int) *script {
	s := new(script)
	s.begin(t, partitions, maxInFlight, 0)
	return s
}

// begin makes s a script on an empty store.
func (s *script) begin(t *testing.T, partitions, maxInFlight int, quota float64) {
	*s = script{
		db: openStore(t), epoch: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), reg: prometheus.NewRegistry(),
		limit: turnLimits{work: 512, bytes: 1 << 20, fires: 256},
		room:  map[string]int{}, refused: map[record.LaneID]func(int){}, out: map[string]delivered{}, latest: map[string]int{},
	}
	s.now, s.quota, s.rates = s.epoch, quota, newRates(quota)
	var all []int
	for id := range partitions {
		all = append(all, id)
	}
	cfg := Config{Partitions: partitions, Loops: 1, Inbox: 1024, MaxInFlight: maxInFlight, Now: func() time.Time { return s.now }}
	s.loop = newLoop(all, cfg, s.rates, s, s, logTo(t), newMetrics(s.reg), quarantine.New(nil, 1, logTo(t), s.reg), newGivenUp(logTo(t)))
	s.load(t)
	s.figures, s.lanes = s.counts(t), map[string]string{}
	delete(s.figures, "quota left") // said first
}

// load has the loop reset its machine and load its partitions again.
func (s *script) load(t *testing.T) {
	t.Helper()
	s.loseOwnerships()
	for _, p := range s.partitions {
		s.enter(t, p)
	}
}

// enter has the loop own a partition.
func (s *script) enter(t *testing.T, p int) {
	t.Helper()
	s.inbox.setLoading(p)
	heads, err := s.readLaneHeads(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	s.changeOwnerships([]ownershipChange{{ownership: &ownership{partition: p, fence: fenceOf(p), claim: scriptClaim{soleClaim{}, s}, heads: heads, released: make(chan struct{})}}})
}

// A scriptClaim is alive unless the script says otherwise.
type scriptClaim struct {
	soleClaim
	script *script
}

func (c scriptClaim) Alive() bool { return !c.script.dead }

// fenceOf is the proof of owning a partition in a script.
func fenceOf(partition int) store.Fence {
	return store.Fence{Key: fmt.Sprint("claim/", partition), Revision: 1}
}

func (s *script) run(t *testing.T, d *datadriven.TestData) string {
	s.events = nil
	flag := func() bool { return d.CmdArgs[0].Key == "on" }
	switch d.Cmd {
	case "start":
		s.start(t, d)
		return ""
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
	case "full": // the store takes nothing but deletions
		s.full = flag()
	case "blind": // the store cannot be read
		s.blind = nil
		if flag() {
			s.blind = errors.New("the disk says nothing")
		}
		s.idle(t)
	case "dead": // the node's lease has ended
		s.dead = flag()
	case "elapse": // what the loop waits for by the monotonic clock
		time.Sleep(duration(t, d.CmdArgs[0].Key))
		s.idle(t)
	case "leave", "enter":
		s.turnOver(t, d)
	case "watch":
		s.watching = true
	case "damage": // behind the loop's back
		s.damage(t, d)
		return "" // the index names what cannot be read
	case "reload":
		s.load(t)
		s.idle(t)
	case "limit":
		d.MaybeScanArgs(t, "fires", &s.limit.fires)
		d.MaybeScanArgs(t, "most", &s.limit.work)
	case "show":
		s.show()
	default:
		d.Fatalf(t, "no such command")
	}
	check := s.check
	if s.harmed || s.isReleasing() || len(s.ownerships) < len(s.partitions) { // the index has what no lane has
		check = func(context.Context) error { return s.machine.Check() }
	}
	if err := check(t.Context()); err != nil {
		t.Fatalf("%s: after %s: %v", d.Pos, d.Cmd, err)
	}
	if s.watching {
		s.show()
	}
	s.sayFigures(t)
	return strings.Join(append(s.events, ""), "\n")
}

// start begins with an empty store.
func (s *script) start(t *testing.T, d *datadriven.TestData) {
	partitions, inFlight, quota := 1, 1<<16, 0
	d.MaybeScanArgs(t, "partitions", &partitions)
	d.MaybeScanArgs(t, "in-flight", &inFlight)
	d.MaybeScanArgs(t, "quota", &quota)
	s.begin(t, partitions, inFlight, float64(quota))
}

// turnOver has a partition go, or come back.
func (s *script) turnOver(t *testing.T, d *datadriven.TestData) {
	p := number(t, d.CmdArgs[0].Key)
	if d.Cmd == "enter" {
		s.enter(t, p)
	} else {
		s.inbox.setReleased(p)
		s.changeOwnerships([]ownershipChange{{ownership: s.ownerships[p], release: true}})
	}
	s.idle(t)
}

// damage changes what the store holds about a job.
func (s *script) damage(t *testing.T, d *datadriven.TestData) {
	k := key(d)
	var b store.Batch
	var due string
	d.MaybeScanArgs(t, "due", &due)
	s.harmed = s.harmed || len(d.CmdArgs) > 1
	switch {
	case d.HasArg("state"):
		b.Put(record.StateKey(k), []byte("no state"))
	case d.HasArg("gone"):
		b.Delete(record.JobKey(k))
	case due != "": // an entry of the index at another instant
		b.Put(record.DueKey(s.entry(k, s.epoch.Add(duration(t, due)))), nil)
	default:
		b.Put(record.JobKey(k), []byte("no record"))
	}
	if err := s.db.Commit(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
}

// counts returns what the loop counts, holds, and has in quarantine.
func (s *script) counts(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	families, err := s.reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := strings.TrimPrefix(f.GetName(), "carillon_")
			for _, l := range m.GetLabel() {
				name += "{" + l.GetValue() + "}"
			}
			if name == "commit_seconds" {
				continue // there is one for each of commit_jobs
			}
			all[name] = fmt.Sprint(m.GetCounter().GetValue() + m.GetGauge().GetValue())
			if h := m.GetHistogram(); h != nil {
				all[name] = fmt.Sprintf("%d of %v", h.GetSampleCount(), h.GetSampleSum())
			}
		}
	}
	for figure := range strings.FieldsSeq(strings.NewReplacer("{Stats:{", "", "}", "").Replace(fmt.Sprintf("%+v", s.stats(s.now)))) {
		name, value, _ := strings.Cut(figure, ":")
		all[strings.ToLower(name[:1])+name[1:]] = value
	}
	for _, f := range s.quarantine.Findings() {
		all["quarantined "+f.String()] = f.Reason
	}
	all["kept"] = fmt.Sprint(len(s.degraded.kept))
	all["least free"] = fmt.Sprint(s.machine.LeastFree())
	if s.quota > 0 {
		all["quota left"] = fmt.Sprintf("%.3f", s.quotaLeft(t))
	}
	return all
}

// quotaLeft returns how many triggers the namespace may have now; if negative, how many it has been promised.
func (s *script) quotaLeft(t *testing.T) float64 {
	t.Helper()
	if s.quota == 0 {
		return 0
	}
	const many = 1_000_000
	at := s.rates.Reserve(s.now, "ns", many)
	s.rates.Cancel("ns", many)
	return many - at.Sub(s.now).Seconds()*s.quota
}

// sayFigures says which figures have changed.
func (s *script) sayFigures(t *testing.T) {
	t.Helper()
	was, is := s.figures, s.counts(t)
	s.figures = is
	var changed []string
	for _, name := range slices.Sorted(maps.Keys(is)) {
		if is[name] != was[name] {
			changed = append(changed, name+" "+is[name])
		}
	}
	if len(changed) > 0 {
		s.say("= %s", strings.Join(changed, ", "))
	}
}

func (s *script) say(format string, args ...any) {
	s.saying.Lock()
	defer s.saying.Unlock()
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
	if !d.HasArg("count") {
		s.put(t, k, spec, d.HasArg("overwrite"))
		return
	}
	var count int
	d.ScanArgs(t, "count", &count)
	events := s.events
	for i := range count {
		many := k
		many.Name = fmt.Sprintf("%s%02d", k.Name, i)
		s.put(t, many, spec, d.HasArg("overwrite"))
	}
	s.events = slices.DeleteFunc(s.events[len(events):], func(e string) bool { return strings.HasPrefix(e, "put ") })
}

func (s *script) put(t *testing.T, k job.Key, spec job.Spec, overwrite bool) {
	encoded := record.EncodeSpec(k, &spec)
	s.command(t, k, true, func(m *machine.Machine, old machine.Stored) error {
		return m.Schedule(k, &spec, encoded, overwrite, old)
	})
}

func (s *script) remove(t *testing.T, k job.Key) {
	s.command(t, k, false, func(m *machine.Machine, old machine.Stored) error { m.Remove(k, old); return nil })
}

func (s *script) command(t *testing.T, k job.Key, stores bool, decide func(*machine.Machine, machine.Stored) error) {
	c := &command{key: k, partition: record.PartitionOf(k, s.partitionCount), addsData: stores, decide: decide, done: make(chan error, 1)}
	if !s.inbox.slots.TryAcquire(s.inbox.slotsOf(c)) {
		t.Fatal("the inbox is full")
	}
	s.inbox.update(func() { s.inbox.enqueue(c) })
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
			if s.blind != nil || s.dead {
				s.loseOwnerships()
				return
			}
			s.load(t)
			continue
		}
		if !s.full {
			s.degraded.retryAt = 0 // a store that was full is tried again at once
		}
		if at, ok := s.machine.Next(); !s.inbox.busy() && (!ok || at.After(s.now)) {
			return
		}
		if err := s.machine.Check(); err != nil {
			t.Fatalf("between two turns: %v", err)
		}
	}
}

// wait lets time pass from one due instant to the next.
func (s *script) wait(t *testing.T, until time.Time) {
	for {
		at, ok := s.machine.Next()
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
	if name == "all" {
		s.settleAll(d)
		return
	}
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

// settleAll settles all triggers in flight.
func (s *script) settleAll(d *datadriven.TestData) {
	for _, id := range slices.Sorted(maps.Keys(s.out)) {
		for _, o := range []job.Outcome{job.Handled, job.Failed, job.Lost} {
			if d.HasArg(o.String()) {
				s.out[id].done(o)
			}
		}
		delete(s.out, id)
	}
}

func (s *script) setRoom(t *testing.T, d *datadriven.TestData) {
	app := d.CmdArgs[0].Key
	var n int
	d.ScanArgs(t, "for", &n)
	s.giveRoom(app, n)
}

// giveRoom says how many triggers an app has room for.
func (s *script) giveRoom(app string, n int) {
	s.room[app] = n
	for id, again := range s.refused {
		if id.Target.Name == app && n > 0 {
			delete(s.refused, id)
			again(n)
		}
	}
}

// show says where lanes stand; while they are watched, those that have changed.
func (s *script) show() {
	was := s.lanes
	s.lanes = map[string]string{}
	for _, l := range s.machine.Lanes(s.epoch) {
		name := l.ID.Target.Name
		if len(s.partitions) > 1 {
			name += fmt.Sprint("/", l.ID.Partition)
		}
		s.lanes[name] = l.Text
	}
	for _, name := range slices.Sorted(maps.Keys(s.lanes)) {
		if !s.watching || s.lanes[name] != was[name] {
			s.say("%s: %s", name, s.lanes[name])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(was)) {
		if s.watching && s.lanes[name] == "" {
			s.say("%s: gone", name)
		}
	}
}

// entry returns the entry of k in the due index when it is owed at due.
func (s *script) entry(k job.Key, due time.Time) record.Entry {
	return record.Entry{Due: due, Key: k, Partition: record.PartitionOf(k, s.partitionCount)}
}

// Deliver records t, if its app has room.
func (s *script) Deliver(t job.Trigger, done func(job.Outcome), again func(int)) bool {
	app := t.Key.Target.Name
	if n, bounded := s.room[app]; bounded && n == 0 {
		s.say("refuse %s", t.Key.Name)
		s.refused[record.LaneID{Partition: t.Partition, Target: t.Key.Target}] = again
		return false
	} else if bounded {
		s.room[app] = n - 1
	}
	number := int(s.machine.Delivery(t.Key).Number())
	s.latest[t.Key.Name] = number
	s.sentAll++
	if s.sent != nil {
		s.sent()
	}
	s.delivered = append(s.delivered, fmt.Sprintf("%s due %v attempt %d", t.Key.Name, t.Due.Unix(), t.Attempt))
	id := fmt.Sprintf("%s %d", t.Key.Name, number)
	s.out[id] = delivered{t, done}
	s.say("deliver %s as %d, due %v, attempt %d", t.Key.Name, number, t.Due.Sub(s.epoch), t.Attempt)
	if late := s.wall().Sub(t.Due); late < 0 {
		panic(fmt.Sprintf("%s was delivered %v early", t.Key, -late))
	}
	return true
}

// check is that of the loop, and holds that those lanes wait for room that are parked.
func (s *script) check(ctx context.Context) error {
	for id := range s.refused {
		if !s.machine.IsParked(id) {
			return fmt.Errorf("lane %v waits for room, and is not parked", id)
		}
	}
	for _, l := range s.machine.Lanes(s.epoch) {
		if s.machine.IsParked(l.ID) && s.refused[l.ID] == nil {
			return fmt.Errorf("lane %v is parked, and does not wait for room", l.ID)
		}
	}
	return s.loop.check(ctx)
}

// Withdraw lets go of a refusal.
func (s *script) Withdraw(target job.Target, partition int) {
	delete(s.refused, record.LaneID{Partition: partition, Target: target})
}

// Commit shows what is written. It refuses a write without the proof of owning its partition.
func (s *script) Commit(ctx context.Context, b *store.Batch) error {
	for _, w := range b.Writes {
		if k, err := record.ParseKey(w.Key); err != nil || !slices.Contains(b.Fences, fenceOf(record.PartitionOf(k, s.partitionCount))) {
			panic(fmt.Sprintf("%s is written without a proof of owning its partition: %v, %v", s.describe(w), b.Fences, err))
		}
		verb := "put"
		if w.Remove {
			verb = "delete"
		}
		s.say("%s %s", verb, s.describe(w))
	}
	if s.full && slices.ContainsFunc(b.Writes, func(w store.Write) bool { return !w.Remove }) {
		return job.ErrFull
	}
	broken, swallowed := s.broken, s.swallowed
	s.broken, s.swallowed = nil, false
	if broken != nil && swallowed {
		return broken
	}
	return errors.Join(s.db.Commit(ctx, &store.Batch{Writes: b.Writes}), broken) // which has one writer
}

func (s *script) describe(w store.Write) string {
	switch record.KindOf(w.Key) {
	case record.KindDue:
		e, err := record.ParseDueKey(w.Key)
		if err != nil {
			return err.Error()
		}
		return fmt.Sprintf("due/%s/%v/%s", e.Key.Target.Name, e.Due.Sub(s.epoch), e.Key.Name)
	case record.KindJob, record.KindState:
		k, err := record.ParseKey(w.Key)
		if err != nil {
			return err.Error()
		}
		if record.IsJob(w.Key) {
			return fmt.Sprintf("job/%s/%s", k.Target.Name, k.Name)
		}
		text := fmt.Sprintf("state/%s/%s", k.Target.Name, k.Name)
		if st, err := record.DecodeState(k, w.Value); err == nil && !w.Remove {
			text += fmt.Sprintf(": settled %d, attempts %d, due %v", st.Settled, st.Attempts, st.Due.Sub(s.epoch))
		}
		return text
	default:
		return fmt.Sprintf("%x", w.Key)
	}
}

func (s *script) Get(ctx context.Context, keys ...[]byte) ([][]byte, error) {
	if s.blind != nil {
		return nil, s.blind
	}
	return s.db.Get(ctx, keys...)
}

func (s *script) Scan(ctx context.Context, r store.Range, limit int) pairs {
	if s.blind != nil {
		return func(yield func(store.Pair, error) bool) { yield(store.Pair{}, s.blind) }
	}
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
