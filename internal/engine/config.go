package engine

import (
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"carillon/internal/encryption"
	"carillon/internal/store"
)

// A Config is what an operator may choose of an engine. The zero Config is usable.
type Config struct {
	// Partitions is into how many shares the keys are divided. It is fixed when the store is made;
	// 0 means 64.
	Partitions int
	// MaxJob is the most bytes that the record of a job may have with its key, payload included; 0
	// means 2 MiB, as in Dapr.
	MaxJob int
	// Shared says that other nodes write to the store too. The engine then owns the partitions for
	// which RunPartition runs, and otherwise all of them.
	Shared bool
	// LocalReads is the store for reads of data that only this engine writes while it owns a
	// partition. It may be cheaper than Store because it need not see the writes of other nodes.
	// nil means the store itself.
	LocalReads store.Store
	// Loops is how many goroutines run the partitions, each its share of them. 0 means one for each
	// two CPUs, from 1 to 4. It means 1 if the store is shared: each loop has its own commits,
	// which are expensive there. It may change from one start to the next.
	Loops int
	// Punctual asks the kernel to wake an idle process when something is due. Without it a trigger
	// may be up to a millisecond late. Not for fake time.
	Punctual bool
	// Inbox is how many calls may wait for one loop, or be carried out by it. Later calls wait in
	// their goroutines. 0 means 4096.
	Inbox int
	// Turn is the most commands and outcomes in a turn of a loop. 0 means 256, or 64 if the store
	// is shared: there, the more a commit writes the longer it takes, on every node.
	Turn int
	// MaxCommit is the most bytes that the commands and outcomes of a turn take, approximately. A
	// larger command has a turn to itself. 0 means half of what a commit of the store can carry.
	MaxCommit int
	// MaxInFlight is the most triggers that may be in flight in all, and 8 of each target beyond
	// that. Targets share it fairly. 0 means 65,536; each takes about 1 KiB.
	MaxInFlight int
	// TriggerRate is how many triggers the jobs of one namespace may have in a second, retries
	// included. A namespace that had none for a second may have as many at once. Later triggers
	// wait, in a fair order. 0 means no limit.
	TriggerRate float64
	// MaxCommandBytes is the most bytes of all calls that wait for a loop or are carried out. 0
	// means 256 MiB.
	MaxCommandBytes int64
	// Full returns why the store has no capacity for new data, an error that is [job.ErrFull], or
	// nil. A nil Full means never. It is called for each job that is scheduled, so it must be
	// quick, and safe for concurrent use.
	Full func() error
	// Keys seal the specs of jobs, payloads included. nil means that they are stored as they are. A
	// store with sealed jobs is not opened without their keys.
	Keys *encryption.Keys
	// Now is the wall clock, which may be stepped, with a monotonic reading; nil means [time.Now].
	Now func() time.Time
	// Metrics is where the engine's metrics are registered; nil means nowhere.
	Metrics prometheus.Registerer
}

// DefaultMaxJob is the most bytes of the record of a job with its key, unless [Config] says
// otherwise.
const DefaultMaxJob = 2 << 20

const (
	defaultPartitions = 64
	maxDefaultLoops   = 4
	defaultInbox      = 4096
	defaultTurn       = 256
	defaultSharedTurn = 64
	defaultInFlight   = 1 << 16
	defaultCommands   = 256 << 20 // bytes
)

// withDefaults returns c with all zero fields set; s is the store of the engine.
func (c Config) withDefaults(s store.Store) Config {
	orDefault := func(field *int, value int) {
		if *field == 0 {
			*field = value
		}
	}
	orDefault(&c.Partitions, defaultPartitions)
	orDefault(&c.MaxJob, DefaultMaxJob)
	if c.Shared {
		orDefault(&c.Loops, 1)
		orDefault(&c.Turn, defaultSharedTurn)
	}
	orDefault(&c.Loops, max(1, min(runtime.GOMAXPROCS(0)/2, maxDefaultLoops)))
	orDefault(&c.Inbox, defaultInbox)
	orDefault(&c.Turn, defaultTurn)
	orDefault(&c.MaxInFlight, defaultInFlight)
	if c.MaxCommandBytes == 0 {
		c.MaxCommandBytes = defaultCommands
	}
	c.Loops = min(c.Loops, c.Partitions)
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.LocalReads == nil {
		c.LocalReads = s
	}
	return c
}

// MaxJobFor returns the largest record of a job, with its key, for a store whose commits carry so
// many bytes. One command may take half of a commit, and each key has up to 1 KiB.
func MaxJobFor(commit int) int { return commit/2 - (1+writesPerJob)<<10 }
