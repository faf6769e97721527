package memory

import "log/slog"

// A Role is what a process does, as far as its memory is concerned.
type Role int

// The roles.
const (
	// Scheduler is a scheduler alone, with a store of its own.
	Scheduler Role = iota
	// SchedulerWithEtcd is one of several schedulers, with a member of etcd in the process.
	SchedulerWithEtcd
	// SchedulerOnEtcd is one of several schedulers on an external etcd.
	SchedulerOnEtcd
	// AllInOne is a scheduler with a store of its own, and a sidecar.
	AllInOne
	// Sidecar is a sidecar.
	Sidecar
)

// String returns what messages to people call r.
func (r Role) String() string {
	switch r {
	case Scheduler:
		return "a scheduler"
	case SchedulerWithEtcd:
		return "a scheduler with an embedded etcd"
	case SchedulerOnEtcd:
		return "a scheduler on an external etcd"
	case AllInOne:
		return "a node with scheduler and sidecar"
	default:
		return "a sidecar"
	}
}

// Floor returns the smallest limit with which a process of this role starts.
func (r Role) Floor() int64 {
	switch r {
	case Sidecar:
		return 96 * mib
	case AllInOne:
		return 160 * mib
	default:
		return 128 * mib
	}
}

const (
	kib = 1 << 10
	mib = 1 << 20
	gib = 1 << 30
)

// Shares says what each part of a process may have of its memory. All of one process's shares add
// up to less than its limit. A share that the process's role has no use for is 0, and so are all
// shares of a process that has none.
type Shares struct {
	// GoLimit is how many bytes Go's runtime may have, heap and stacks: what is left of the limit
	// by the store's cache and memtables, which are not Go's, by the program's own pages, and by
	// the kernel's memory for connections. The shares below Ballast are of it; they leave a third
	// of it to stacks, connections, windows and the garbage of a cycle.
	GoLimit int64
	// Ballast is the bytes of GoLimit's runtime limit that are never touched: see Apply. They come
	// on top of GoLimit.
	Ballast int64

	// Cache is the bytes of the store's block cache, of which its memtables are a part.
	Cache int64
	// MemTable is the bytes of one of the store's memtables, of which there are up to MemTables.
	MemTable int64

	// InFlight is how many triggers may be in flight, or wait for their outcomes to be committed.
	// Each is taken to need TriggerBytes, without its data.
	InFlight int
	// Payloads is the bytes of the data of triggers that wait to be sent to sidecars, in the whole
	// process.
	Payloads int64
	// Commit is after how many bytes of commands a commit takes no more of them. One that is larger
	// goes alone.
	Commit int64
	// Bodies is the bytes of requests that are being received or carried out, on all connections,
	// those included that wait to be committed.
	Bodies int64
	// Lists is the bytes of lists that are being put together, for all callers.
	Lists int64

	// SidecarTriggers is the bytes of the triggers that a sidecar has in work, on all streams.
	SidecarTriggers int64
	// SidecarCalls is the bytes of the bodies of the calls of its API that a sidecar has in work.
	SidecarCalls int64

	// RaftLog is the bytes that an embedded etcd's log may take in memory.
	RaftLog int64
	// RaftEntries is how many transactions etcd's log has in memory, for members that lag behind.
	// RaftLog holds as many of Commit bytes.
	RaftEntries int
	// BackendBatch is how many changes etcd gathers before it writes them to its data file.
	BackendBatch int
}

const (
	// MemTables is how many memtables the store has at most.
	MemTables = 4
	// TriggerBytes is what a trigger in flight takes, without its data: measured, and rounded up.
	TriggerBytes = 1 << 10

	// What speed depends on gets no more than this below the default limit.
	fullCache    = 64 * mib
	fullMemTable = 16 * mib
	fullBallast  = 24 * mib

	// least is what a share must have for one request of the largest size to fit.
	least = 4 * mib
	// program is what the program's own pages take, which are the kernel's to drop, but not without
	// a loss of speed.
	program = 32 * mib
	// raftSlack is how many transactions etcd's log gets beyond RaftEntries: it is shortened every
	// hundred.
	raftSlack = 100
)

// Divide makes shares of l for a process of a role, or returns a [FloorError].
func (l Limit) Divide(r Role) (Shares, error) {
	if l.Bytes < r.Floor() {
		return Shares{}, &FloorError{l, r}
	}
	n := l.Bytes
	s := Shares{Ballast: min(n/16, fullBallast)}
	switch r {
	case Scheduler:
		s.pebble(n)
		s.scheduler(n)
	case SchedulerWithEtcd:
		s.scheduler(n / 2)
		s.etcd(n)
	case SchedulerOnEtcd:
		s.scheduler(n)
	case AllInOne:
		s.pebble(n)
		s.scheduler(n / 2)
		s.sidecar(n / 2)
	case Sidecar:
		s.sidecar(n)
	}
	s.GoLimit = n - s.Outside() - program - min(n/16, 256*mib)
	return s, nil
}

// pebble sets the shares of the store, all of which are outside of Go's heap.
func (s *Shares) pebble(n int64) {
	s.Cache = max(min(n/16, fullCache), min(n/32, gib))
	s.MemTable = min(n/64, fullMemTable)
}

// scheduler sets the shares of what is common to all schedulers: less than half of n.
func (s *Shares) scheduler(n int64) {
	s.InFlight = int(min(n/8, gib) / TriggerBytes)
	s.Payloads = min(n/16, gib)
	s.Commit = least
	s.Bodies = min(max(n/16, 4*least), gib)
	s.Lists = min(max(n/16, 4*least)+max(0, n-512*mib)/16, gib)
}

// sidecar sets the shares of a sidecar: a quarter of n, or little more.
func (s *Shares) sidecar(n int64) {
	s.SidecarTriggers = min(n/8, gib)
	s.SidecarCalls = min(max(n/8, 4*least), gib)
}

// etcd sets the shares of a member of etcd.
func (s *Shares) etcd(n int64) {
	s.RaftLog = min(5*n/32, 2*gib)
	s.RaftEntries = int(min(max(n/mib, 400), 5000))
	s.Commit = s.RaftLog / int64(s.RaftEntries+raftSlack)
	s.BackendBatch = int(min(n/(512*kib)+max(0, n-512*mib)/(256*kib), 10_000))
}

// Outside returns how many bytes of the shares are not of Go's heap: the store's, whose memtables
// are a part of its cache as long as they fit.
func (s Shares) Outside() int64 { return max(s.Cache, MemTables*s.MemTable) }

// Heap returns how many bytes of GoLimit the shares take when all are used up.
func (s Shares) Heap() int64 {
	return int64(s.InFlight)*TriggerBytes + s.Payloads + s.Bodies + s.Lists +
		s.SidecarTriggers + s.SidecarCalls + s.RaftLog
}

// Attrs returns what the log says of l and s when the process starts.
func (s Shares) Attrs(l Limit) []slog.Attr {
	all := []slog.Attr{slog.String("limit", Format(l.Bytes)), slog.String("source", l.Source)}
	add := func(key string, n int64) {
		if n > 0 {
			all = append(all, slog.String(key, Format(n)))
		}
	}
	add("go", s.GoLimit)
	add("cache", s.Cache)
	add("memtable", s.MemTable)
	if s.InFlight > 0 {
		all = append(all, slog.Int("in_flight", s.InFlight))
	}
	add("payloads", s.Payloads)
	add("bodies", s.Bodies)
	add("lists", s.Lists)
	add("sidecar_triggers", s.SidecarTriggers)
	add("sidecar_calls", s.SidecarCalls)
	add("raft_log", s.RaftLog)
	return all
}
