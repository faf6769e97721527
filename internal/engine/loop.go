package engine

import (
	"log/slog"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"carillon/internal/encryption"
	"carillon/internal/engine/machine"
	"carillon/internal/engine/quarantine"
	"carillon/internal/fair"
	"carillon/internal/lograte"
	"carillon/internal/store"
	"carillon/internal/timerfd"
)

// A loop runs the machine of some partitions in turns. The goroutine of run owns the machine; inbox
// and commit are safe for concurrent use.
//
// The partitions of a loop share its turns: what they read in a turn is one read, and what they
// write is one commit. So many callers together cost little more than one, and few loops serve many
// partitions.
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
	quarantine     *quarantine.Quarantine
	keys           *encryption.Keys // nil if no spec is sealed
	watchdog       watchdog
	ownerships     map[int]*ownership // by partition
	degraded       degraded
	overload       overload
	maxWork        int                           // commands and outcomes in a turn
	maxWorkBytes   int                           // of them, approximately; 0: what the store can carry
	recordSize     int                           // bytes of the largest records read lately, approximately
	loadedAny      bool                          // a partition was loaded since the last error
	commit         atomic.Pointer[pendingCommit] // in progress; nil between turns
	punctual       bool
	waker          *timerfd.Waker // wakes the process when timers are due; may be nil
	spareBatch     store.Batch    // empty; the machine writes to it while its other batch is committed
}

func newLoop(
	partitions []int, cfg Config, rates *fair.Rates[string], s store.Store, d Deliverer, log *slog.Logger,
	m *metrics, q *quarantine.Quarantine, givenUp *lograte.Line,
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

// wall returns the wall clock, with which due instants are compared. It may be stepped, so it
// measures nothing.
func (lp *loop) wall() time.Time {
	return lp.now().UTC() //nolint:forbidigo // due instants follow the wall clock
}

// elapsed returns how long the loop has existed by the monotonic clock, which measures all waits.
func (lp *loop) elapsed() time.Duration { return time.Since(lp.watchdog.start) }

// maxSleep is how long a loop sleeps at most, however far the next instant is.
const maxSleep = time.Hour

// isOwner reports whether the loop is guaranteed to still own the partition.
func (lp *loop) isOwner(partition int) bool {
	o := lp.ownerships[partition]
	return o != nil && o.claim.Alive()
}

// formatRanges names ascending partitions, such as 3, 16-31.
func formatRanges(partitions []int) string {
	var all []string
	for i := 0; i < len(partitions); {
		first, last := i, i
		for last+1 < len(partitions) && partitions[last+1] == partitions[last]+1 {
			last++
		}
		text := strconv.Itoa(partitions[first])
		if last > first {
			text += "-" + strconv.Itoa(partitions[last])
		}
		all = append(all, text)
		i = last + 1
	}
	return strings.Join(all, ", ")
}
