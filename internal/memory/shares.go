package memory

import "log/slog"

// Shares are the memory budgets of the parts of a process. Their sum is less than the limit. The
// share of a part that this kind of process does not have is 0; a process of no kind has no shares.
type Shares struct {
	// GoLimit is the limit of the Go runtime in bytes, heap and stacks: the limit without the
	// store's cache and memtables, which are outside of Go, the overhead of their allocator, the
	// pages of the program, and the kernel's memory of connections. The shares below Ballast are
	// part of it. They leave a third of it to stacks, connections, windows and the garbage of a
	// cycle.
	GoLimit int64
	// Ballast is a number of bytes that the runtime counts but the process never touches: see
	// Apply. It comes on top of GoLimit.
	Ballast int64

	// Cache is the size of the store's block cache in bytes, including its memtables.
	Cache int64
	// MemTable is the size of one memtable of the store in bytes; there are up to MemTables.
	MemTable int64

	// InFlight is the maximum number of triggers in flight, those included whose outcomes wait for
	// a commit. Each is counted as TriggerBytes, without its data.
	InFlight int
	// Payloads is the maximum size of the data of triggers that wait to be sent to sidecars, in the
	// whole process.
	Payloads int64
	// Commit is the size of commands in bytes after which a commit takes no more. A larger command
	// is committed alone.
	Commit int64
	// Bodies is the maximum size of the requests in progress in bytes, on all connections,
	// including those that wait for a commit.
	Bodies int64
	// Lists is the maximum size of the lists in progress in bytes, for all callers.
	Lists int64

	// SidecarTriggers is the maximum size of the triggers in progress in a sidecar, on all streams.
	SidecarTriggers int64
	// SidecarCalls is the maximum size of the bodies of API calls in progress in a sidecar.
	SidecarCalls int64

	// LiveHeap is how many bytes of live objects the process may have before new jobs are refused: an
	// embedded etcd keeps an index of all jobs in memory. Garbage has the rest of GoLimit.
	LiveHeap int64
	// RaftLog is the maximum size of an embedded etcd's raft log in memory.
	RaftLog int64
	// RaftEntries is the number of transactions in etcd's raft log in memory, for members that lag
	// behind. RaftLog has space for as many of Commit bytes.
	RaftEntries int
	// BackendBatch is the number of changes that etcd commits to its database at once.
	BackendBatch int
}

const (
	// MemTables is the maximum number of memtables of the store.
	MemTables = 4
	// TriggerBytes is the memory of a trigger in flight: measured, and rounded up.
	TriggerBytes = 1 << 10

	// The shares that determine speed are not reduced below this by a limit below the default.
	fullCache    = 64 * mib
	fullMemTable = 16 * mib
	fullBallast  = 24 * mib

	// least is the minimum of a share: one request of the maximum size must fit.
	least = 4 * mib
	// program is the size of the program's own pages. The kernel may drop them, but that makes the
	// program slower.
	program = 32 * mib
	// raftSlack is how many transactions etcd's log has beyond RaftEntries: it is truncated every
	// hundred.
	raftSlack = 100
)

// Divide divides l for a process of a kind, or returns a [FloorError].
func (l Limit) Divide(k ProcessKind) (Shares, error) {
	if l.Bytes < k.Floor() {
		return Shares{}, &FloorError{l, k}
	}
	n := l.Bytes
	s := Shares{Ballast: min(n/16, fullBallast)}
	switch k {
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
	s.GoLimit = n - s.Outside() - s.allocator(n) - program - min(n/16, 256*mib)
	if k == SchedulerWithEtcd {
		s.LiveHeap = s.GoLimit / 8 * 5
	}
	return s, nil
}

// pebble sets the shares of the store, which are outside of the Go heap.
func (s *Shares) pebble(n int64) {
	s.Cache = max(min(n/16, fullCache), min(n/32, gib))
	s.MemTable = min(n/64, fullMemTable)
}

// scheduler sets the shares that all schedulers have: less than half of n.
func (s *Shares) scheduler(n int64) {
	s.InFlight = int(min(n/8, gib) / TriggerBytes)
	s.Payloads = min(n/16, gib)
	s.Commit = least
	s.Bodies = min(max(n/16, 4*least), gib)
	s.Lists = min(max(n/16, 4*least)+max(0, n-512*mib)/16, gib)
}

// sidecar sets the shares of a sidecar: about a quarter of n.
func (s *Shares) sidecar(n int64) {
	s.SidecarTriggers = min(n/8, gib)
	s.SidecarCalls = min(max(n/8, 4*least), gib)
}

// etcd sets the shares of an etcd member.
func (s *Shares) etcd(n int64) {
	s.RaftLog = min(5*n/32, 2*gib)
	s.RaftEntries = int(min(max(n/mib, 400), 5000))
	s.Commit = s.RaftLog / int64(s.RaftEntries+raftSlack)
	s.BackendBatch = int(min(n/(512*kib)+max(0, n-512*mib)/(256*kib), 10_000))
}

// Outside returns how many bytes of the shares are outside of the Go heap: the store's, whose
// memtables are part of its cache as far as they fit.
func (s Shares) Outside() int64 { return max(s.Cache, MemTables*s.MemTable) }

// allocator returns how many bytes the C allocator may need beyond the store's cache, which is up
// to as much again when many threads allocate. A process with the least memory cannot spare that.
func (s Shares) allocator(n int64) int64 { return min(s.Cache, max(0, n-128*mib)/8) }

// Heap returns how many bytes of GoLimit the shares take when all are used up.
func (s Shares) Heap() int64 {
	return int64(s.InFlight)*TriggerBytes + s.Payloads + s.Bodies + s.Lists +
		s.SidecarTriggers + s.SidecarCalls + s.RaftLog
}

// Attrs returns l and s for a log line at the start.
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
	add("live_heap", s.LiveHeap)
	return all
}
