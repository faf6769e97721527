package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	"carillon/internal/encryption"
	"carillon/internal/engine/record"
	"carillon/internal/job"
	"carillon/internal/lograte"
	"carillon/internal/store"
	"carillon/internal/timerfd"
)

// A loop turns the machine of some partitions. Its goroutine, that of run, owns the machine; the inbox and the present
// commit are for anyone.
//
// The partitions of a loop share its turns: what they read in a turn is one read, and what they write is one commit. So
// what many callers want costs little more than what one of them does, and there are few loops for many partitions.
type loop struct {
	partitions []int
	now        func() time.Time // the clock on the wall: see wall
	store      store.Store
	deliver    Deliverer
	log        *slog.Logger
	machine    *machine
	inbox      *inbox
	metrics    *metrics
	givenUp    *lograte.Line // of all loops
	aside      *quarantine
	keys       *encryption.Keys // nil if nothing is sealed
	all        int              // partitions, of all loops
	pulse      pulse
	tenures    map[int]*tenure // of the partitions that it has
	strain     strain
	overload   overload
	most       int                    // commands and outcomes in a turn
	mostBytes  int                    // of them, about; 0: what the store says
	recordSize int                    // about how many bytes the largest records had that were read lately
	progress   bool                   // a tenure has begun since the last error
	commit     atomic.Pointer[commit] // the one under way; nil between two turns
	punctual   bool
	waker      *timerfd.Waker // wakes the process when timers are due; nil if there is none
	spare      store.Batch    // empty: what the machine writes to while its other batch is being committed
}

func newLoop(
	partitions []int, cfg Config, s store.Store, d Deliverer, log *slog.Logger, m *metrics, aside *quarantine, givenUp *lograte.Line,
) *loop {
	lp := &loop{
		partitions: partitions, now: cfg.Now, store: s, deliver: d, machine: newMachine(cfg.Partitions, max(1, cfg.MaxInFlight/cfg.Loops)),
		inbox: newInbox(cfg.Inbox, int(cfg.MaxCommandBytes)/cfg.Loops), metrics: m, givenUp: givenUp, aside: aside, keys: cfg.Keys, all: cfg.Partitions, punctual: cfg.Punctual, pulse: pulse{start: time.Now()}, tenures: map[int]*tenure{},
		strain: strain{full: cfg.Full}, most: cfg.Turn, mostBytes: cfg.MaxCommit,
	}
	lp.log = log.With(slog.String("partitions", lp.String()))
	return lp
}

// wall returns what the clock on the wall shows: what due instants are compared with. It may be stepped, so nothing is
// measured with it.
func (lp *loop) wall() time.Time {
	return lp.now().UTC() //nolint:forbidigo // due instants are those of the clock on the wall
}

// elapsed returns how long the loop has existed, by the monotonic clock: what is waited for is measured with it.
func (lp *loop) elapsed() time.Duration { return time.Since(lp.pulse.start) }

// String names the partitions, such as 16-31.
func (lp *loop) String() string { return spans(lp.partitions) }

// The wait before partitions are loaded afresh doubles from the first to the second.
const (
	minBackoff = 10 * time.Millisecond
	maxBackoff = 5 * time.Second
)

// run turns the machine until ctx ends. After an error of the store nobody knows what was applied, so the machine
// forgets what it knew, and the partitions are claimed and read afresh; other loops go on meanwhile.
func (lp *loop) run(ctx context.Context) {
	defer lp.inbox.close()
	defer lp.openWaker(ctx)()
	steady := context.WithoutCancel(ctx) // a turn that has begun is brought to its end
	for wait := minBackoff; ctx.Err() == nil; wait = min(2*wait, maxBackoff) {
		lp.progress = false
		lp.pulse.turns.Store(true)
		err := lp.turns(ctx, steady)
		lp.pulse.turns.Store(false)
		lp.lose()
		if err == nil {
			return
		}
		if lp.progress && !errors.Is(err, errMissingKey) { // which the next load does not meet before it has begun
			wait = minBackoff
		}
		lp.log.LogAttrs(ctx, slog.LevelError, "the partitions will be loaded afresh",
			slog.Any("err", err), slog.Duration("after", wait))
		pause(ctx, wait)
	}
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// scan reads up to limit entries of the index. It passes over keys that are none, and has them put in quarantine.
func (lp *loop) scan(ctx context.Context, r store.Range, limit int) ([]record.Entry, error) {
	var read []record.Entry
	for {
		most, n := limit-len(read), 0
		var last []byte // key that is none
		for pair, err := range lp.store.Scan(ctx, r, most) {
			if err != nil {
				return nil, err
			}
			n++
			e, err := record.ParseDueKeyOf(pair.Key, lp.all)
			if err != nil {
				last = append(last[:0], pair.Key...)
				lp.aside.report(ctx, pair.Key, len(pair.Value), err)
				continue
			}
			if n := len(read); n > 0 && read[n-1].Key.Target == e.Key.Target {
				e.Key.Target = read[n-1].Key.Target // the same strings: windows are kept
			}
			read = append(read, e)
		}
		if n < most || len(read) == limit {
			return read, nil
		}
		r.From = append(last, 0) // all that was read since is of keys that are none, or read has what comes before
		if len(read) > 0 {
			if from := append(record.DueKey(read[len(read)-1]), 0); slices.Compare(from, r.From) > 0 {
				r.From = from
			}
		}
	}
}

// turns has a turn whenever there is something to do. When ctx ends it has its last ones, which record the outcomes that
// have come, so that their triggers are not delivered again, but fire nothing more.
func (lp *loop) turns(ctx, steady context.Context) error {
	limit := lp.limits()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		lp.pulse.begin()
		if err := lp.turn(steady, lp.wall(), limit); err != nil {
			return err
		}
		if lp.inbox.busy() {
			continue
		}
		sleep, due, ok := lp.next()
		lp.pulse.end(lp.wall(), due, ok && !due.IsZero())
		if ok {
			timer.Reset(sleep)
			lp.wakeIn(sleep)
		} else {
			timer.Stop()
		}
		select {
		case <-lp.inbox.wake:
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	limit.fires, limit.again = 0, 0
	for begin := time.Now(); ; {
		if err := lp.turn(steady, lp.wall(), limit); err != nil {
			return err
		}
		if outcomes, _ := lp.inbox.waiting(); outcomes == 0 || time.Since(begin) > lastTurns {
			return nil
		}
	}
}

// maxSleep is how long a loop sleeps at most, however far the next instant is: no timer has to reach further.
const maxSleep = time.Hour

// lastTurns is how long a loop that ends goes on to record outcomes.
const lastTurns = time.Second

// What one turn takes on at most.
type limits struct {
	most  int // commands and outcomes
	bytes int // of the commands
	fires int // triggers, before the commit
	again int // triggers at a time, while the commit is under way
}

// limits returns what a turn takes on at most, so that its commit is one that the store can carry.
func (lp *loop) limits() limits {
	writes, bytes := lp.store.MaxBatch()
	bytes /= 2
	if lp.mostBytes > 0 {
		bytes = min(bytes, lp.mostBytes)
	}
	return limits{
		most: max(1, min(lp.most, writes/writesPerJob)), bytes: bytes, fires: min(maxFires, lp.most), again: min(maxFiresInCommit, max(1, lp.most/2)),
	}
}

// A turn is as long as a caller has to wait for the next one, so it is short: some milliseconds. More in a turn would save
// little, since a commit of hundreds costs hardly more for each than one of thousands.
const (
	maxFires         = 128
	maxFiresInCommit = 64
	writesPerJob     = 5 // at most, by one command or outcome
)

// yieldEvery is after how many commands or outcomes a loop lets other goroutines run.
const yieldEvery = 64

// yield lets other goroutines run after every so many of what is counted by i. Go takes the processor from a goroutine after
// ten milliseconds only, and the triggers of a quiet app have to be sent meanwhile.
func yield(i int) {
	if i%yieldEvery == yieldEvery-1 {
		runtime.Gosched()
	}
}

// MaxJobFor returns how large the record of a job may be, with its key, in a store whose commits carry so many bytes: one
// command may take half of a commit, and keys have up to a KiB.
func MaxJobFor(commit int) int { return commit/2 - (1+writesPerJob)<<10 }

// turn takes what the inbox holds and what is due, reads what that needs, decides, lets triggers leave, commits, and
// only then tells callers. It fires on while the disk works. An error means that the machine is not to be trusted any
// more.
func (lp *loop) turn(ctx context.Context, now time.Time, limit limits) error {
	begin := time.Now()
	m, w := lp.machine, lp.take(limit)
	if w.waited > 0 {
		lp.metrics.turnsWaited.Observe(float64(w.waited))
	}
	if lp.strain.brim {
		limit.fires, limit.again = 0, 0
	}
	lp.move(w.moves)
	for _, r := range w.rooms {
		m.room(now, r.lane, r.n)
	}
	picked, due, err := lp.readDue(ctx, m.pick(now, limit.fires))
	var concerned []stored
	if err == nil {
		concerned, err = lp.readConcerned(ctx, w.commands)
	}
	if err == nil {
		err = lp.refill(ctx, m.thirsty())
	}
	if err != nil {
		for _, o := range w.outcomes { // nobody will say again that they are not out any more
			if m.out[o.key()] == o.delivery {
				delete(m.out, o.key())
				lp.again(o.delivery)
			}
		}
		return lp.fail(w, fmt.Errorf("read for partitions %s: %w", lp, err))
	}

	fired := lp.fire(ctx, picked, due)
	for i, o := range w.outcomes {
		yield(i)
		m.settle(o.delivery, o.outcome, o.at)
	}
	replies := make([]error, len(w.commands))
	for i, c := range w.commands {
		yield(i)
		replies[i] = c.decide(m, concerned[i])
	}

	// What has fired is owed by what was committed before this turn, and not what this turn removed: it need not wait.
	if err := lp.releaseAll(ctx, fired); err != nil {
		lp.unrecorded()
		return lp.fail(w, err)
	}
	if err := lp.apply(ctx, w, replies, limit); err != nil {
		return err
	}
	lp.letGo()
	lp.withdraw()
	lp.judge(ctx, begin, &w)
	for _, look := range w.looks {
		look(lp, now)
	}
	return nil
}

// unrecorded counts the outcomes of a turn as not known: what was decided about them is forgotten.
func (lp *loop) unrecorded() {
	for _, d := range lp.machine.ended {
		lp.again(d)
	}
}

// again counts that the attempt that d was is made again, because nobody knows how it ended. One that was replaced was
// counted then, if it is.
func (lp *loop) again(d *delivery) {
	if !d.replaced {
		lp.metrics.redelivered.Inc()
	}
}

// fail tells the callers of a turn that its end is not known. It returns err.
func (lp *loop) fail(w work, err error) error {
	for _, c := range w.commands {
		lp.inbox.reply(c, fmt.Errorf("%w: %w", job.ErrUnavailable, err))
	}
	return err
}

// refill reads on in the index for each of the lanes.
func (lp *loop) refill(ctx context.Context, dry []*lane) error {
	for _, l := range dry {
		most := lp.machine.grow(l)
		var read []record.Entry
		for _, r := range l.unread() {
			if len(read) == most {
				break
			}
			more, err := lp.scan(ctx, r, most-len(read))
			if err != nil {
				return err
			}
			read = append(read, more...)
		}
		lp.machine.water(l, read, len(read) == most)
	}
	return nil
}

// A firing is a delivery that is about to leave, with what it carries.
type firing struct {
	*delivery
	spec *job.Spec
}

// fire makes deliveries of the picked entries.
func (lp *loop) fire(ctx context.Context, picked []attempt, records []stored) []firing {
	lp.metrics.delayed.Add(float64(lp.machine.delayed))
	lp.machine.delayed = 0
	fired := make([]firing, 0, len(picked))
	for i, e := range picked {
		r := records[i]
		if d := lp.machine.fire(e, r); d != nil {
			lp.tellDue(ctx, d)
			fired = append(fired, firing{d, r.Spec})
			continue
		}
		switch {
		case r.Err != nil: // which is reported
		case !lp.owns(e.Partition): // its owner has moved the job on
		case r.Spec == nil:
			lp.aside.report(ctx, record.DueKey(e.Entry), 0, errNoJob)
		case !r.obsolete:
			lp.aside.report(ctx, record.DueKey(e.Entry), 0, errDiffers)
		default:
			lp.log.LogAttrs(ctx, slog.LevelError, "removed an entry of the due index that no job stands behind",
				append(e.Key.Attrs(), slog.Time("due", e.Due))...)
		}
	}
	return fired
}

// errNotAlive is how a turn ends when it is too late to fire.
var errNotAlive = errors.New("the right to the partitions has ended, or may have: another node may fire their jobs")

// releaseAll hands deliveries to the deliverer, for as long as their partitions are sure to be owned.
func (lp *loop) releaseAll(ctx context.Context, fired []firing) (err error) {
	for i, f := range fired {
		yield(i)
		if err == nil && !lp.owns(f.entry.Partition) {
			err = errNotAlive
		}
		if err != nil {
			lp.machine.takeBack(f.delivery)
			continue
		}
		lp.release(ctx, f.delivery, f.spec)
	}
	return err
}

// owns reports whether the partition is sure to be owned yet.
func (lp *loop) owns(partition int) bool {
	t := lp.tenures[partition]
	return t != nil && t.claim.Alive()
}

// release hands a delivery to the deliverer, unless its job was removed in the turn that fired it.
func (lp *loop) release(ctx context.Context, d *delivery, spec *job.Spec) {
	m, id := lp.machine, d.entry.Lane()
	if l := m.lanes[id]; d.replaced || l != nil && l.place == parked {
		m.takeBack(d)
		return
	}
	t := job.Trigger{
		Key: d.entry.Key, Partition: d.entry.Partition, AppID: spec.AppID, ConcurrencyKey: spec.ConcurrencyKey, Data: spec.Data,
		Due: d.due, Attempt: d.state.Attempts,
	}
	done := func(o job.Outcome) {
		lp.metrics.deliveries[o].Inc()
		lp.inbox.settle(outcome{d, o, lp.wall()})
	}
	more := func(n int) { lp.inbox.room(room{d.entry.Lane(), n}) }
	if !lp.deliver.Deliver(t, done, more) {
		m.refuse(lp.wall(), d)
		return
	}
	lp.metrics.observe(d, lp.wall())
	lp.tellDelivered(ctx, d)
}

// withdraw lets go of what waits for room and need not: else a waiter would stay for each lane that came and went while
// nobody had room for it. A lane that has been refused again meanwhile keeps its waiter, which is its only one.
func (lp *loop) withdraw() {
	for _, id := range lp.machine.gone {
		if l := lp.machine.lanes[id]; l == nil || l.place != parked {
			lp.deliver.Withdraw(id.Target, id.Partition)
		}
	}
	lp.machine.gone = lp.machine.gone[:0]
}
