package engine

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"sync/atomic"
	"time"

	"carillon/internal/encryption"
	"carillon/internal/engine/machine"
	"carillon/internal/fair"
	"carillon/internal/lograte"
	"carillon/internal/store"
	"carillon/internal/timerfd"
)

// A loop runs the machine of some partitions in turns. The goroutine of run owns the machine; inbox and
// commit are safe for concurrent use.
//
// The partitions of a loop share its turns: what they read in a turn is one read, and what they write is
// one commit. So many callers together cost little more than one, and few loops serve many partitions.
type loop struct {
	partitions     []int
	partitionCount int // of all loops
	now            func() time.Time
	store          store.Store
	deliver        Deliverer
	log            *slog.Logger
	machine        *machine.Machine
	inbox          *inbox
	metrics        *metrics
	givenUp        *lograte.Line // shared by all loops
	quarantine     *quarantine
	keys           *encryption.Keys // nil if no spec is sealed
	watchdog       watchdog
	ownerships     map[int]*ownership // by partition
	degraded       degraded
	overload       overload
	maxWork        int                    // commands and outcomes in a turn
	maxWorkBytes   int                    // of them, approximately; 0: what the store can carry
	recordSize     int                    // bytes of the largest records read lately, approximately
	loadedAny      bool                   // a partition was loaded since the last error
	commit         atomic.Pointer[commit] // in progress; nil between turns
	punctual       bool
	waker          *timerfd.Waker // wakes the process when timers are due; may be nil
	spareBatch     store.Batch    // empty; the machine writes to it while its other batch is committed
}

func newLoop(
	partitions []int, cfg Config, rates *fair.Rates[string], s store.Store, d Deliverer, log *slog.Logger,
	m *metrics, q *quarantine, givenUp *lograte.Line,
) *loop {
	lp := &loop{
		partitions: partitions, partitionCount: cfg.Partitions, now: cfg.Now, store: s, deliver: d,
		machine: machine.New(machine.Config{
			Partitions: cfg.Partitions, MaxInFlight: max(1, cfg.MaxInFlight/cfg.Loops), Rates: rates,
		}),
		inbox: newInbox(cfg.Inbox, int(cfg.MaxCommandBytes)/cfg.Loops), metrics: m, givenUp: givenUp, quarantine: q,
		keys: cfg.Keys, watchdog: watchdog{start: time.Now()}, ownerships: map[int]*ownership{},
		degraded: degraded{full: cfg.Full}, maxWork: cfg.Turn, maxWorkBytes: cfg.MaxCommit, punctual: cfg.Punctual,
	}
	lp.log = log.With(slog.String("partitions", lp.String()))
	return lp
}

// String names the partitions, such as 16-31.
func (lp *loop) String() string { return formatRanges(lp.partitions) }

// wall returns the wall clock, with which due instants are compared. It may be stepped, so it measures
// nothing.
func (lp *loop) wall() time.Time {
	return lp.now().UTC() //nolint:forbidigo // due instants follow the wall clock
}

// elapsed returns how long the loop has existed by the monotonic clock, which measures all waits.
func (lp *loop) elapsed() time.Duration { return time.Since(lp.watchdog.start) }

// The wait before partitions are loaded again doubles from the first to the second.
const (
	minBackoff = 10 * time.Millisecond
	maxBackoff = 5 * time.Second
)

// maxSleep is how long a loop sleeps at most, however far the next instant is.
const maxSleep = time.Hour

// finalTurns is how long a loop that stops goes on recording outcomes.
const finalTurns = time.Second

// run runs turns until ctx ends. After an error of the store nobody knows what it applied. The machine is
// reset, and the partitions are claimed and loaded again; other loops are not affected.
func (lp *loop) run(ctx context.Context) {
	defer lp.inbox.close()
	defer lp.openWaker(ctx)()
	steady := context.WithoutCancel(ctx) // a turn that has begun is completed
	for wait := minBackoff; ctx.Err() == nil; wait = min(2*wait, maxBackoff) {
		lp.loadedAny = false
		lp.watchdog.running.Store(true)
		err := lp.turns(ctx, steady)
		lp.watchdog.running.Store(false)
		lp.loseOwnerships()
		if err == nil {
			return
		}
		if lp.loadedAny && !errors.Is(err, errMissingKey) { // loading does not need the missing key
			wait = minBackoff
		}
		lp.log.LogAttrs(ctx, slog.LevelError, "the partitions will be loaded afresh",
			slog.Any("err", err), slog.Duration("after", wait))
		pause(ctx, wait)
	}
}

// turns runs a turn whenever there is something to do. After ctx has ended, final turns record the
// outcomes that have arrived, so that their triggers are not delivered again, and fire nothing.
func (lp *loop) turns(ctx, steady context.Context) error {
	limit := lp.turnLimits()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		lp.watchdog.beginTurn()
		if err := lp.turn(steady, lp.wall(), limit); err != nil {
			return err
		}
		if lp.inbox.busy() {
			continue
		}
		sleep, due, ok := lp.nextTurn()
		lp.watchdog.endTurn(lp.wall(), due, ok && !due.IsZero())
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
	limit.fires, limit.firesInCommit = 0, 0
	for begin := time.Now(); ; {
		if err := lp.turn(steady, lp.wall(), limit); err != nil {
			return err
		}
		if outcomes, _ := lp.inbox.waiting(); outcomes == 0 || time.Since(begin) > finalTurns {
			return nil
		}
	}
}

// nextTurn returns how long there is nothing to do, and when a job is due then. due is zero if something
// other than a job is to be done. ok is false if there is nothing to wait for.
func (lp *loop) nextTurn() (sleep time.Duration, due time.Time, ok bool) {
	if due, ok = lp.machine.Next(); ok && lp.degraded.paused() {
		due, ok = time.Time{}, false
	}
	if ok {
		sleep = min(due.Sub(lp.wall()), maxSleep)
	}
	now := lp.elapsed()
	wake := func(at time.Duration) {
		if !ok || at-now < sleep {
			sleep, due, ok = at-now, time.Time{}, true
		}
	}
	if len(lp.degraded.kept) > 0 {
		wake(lp.degraded.retryAt)
	}
	for _, o := range lp.ownerships {
		if o.releaseAt != 0 {
			wake(o.releaseAt)
		}
	}
	return sleep, due, ok
}

// pause waits for d or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// yieldEvery is after how many commands or outcomes a loop lets other goroutines run.
const yieldEvery = 64

// yieldCPU lets other goroutines run after each yieldEvery calls with a growing i. Go preempts a goroutine
// only after ten milliseconds, and the triggers of a quiet app have to be sent meanwhile.
func yieldCPU(i int) {
	if i%yieldEvery == yieldEvery-1 {
		runtime.Gosched()
	}
}
