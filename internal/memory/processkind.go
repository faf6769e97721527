package memory

// A ProcessKind is the kind of a process for its memory budget.
type ProcessKind int

// The kinds of processes.
const (
	// Scheduler is a single scheduler with its own store.
	Scheduler ProcessKind = iota
	// SchedulerWithEtcd is a scheduler of a cluster with an embedded etcd member.
	SchedulerWithEtcd
	// SchedulerOnEtcd is a scheduler of a cluster on an external etcd.
	SchedulerOnEtcd
	// AllInOne is a single scheduler with its own store, and a sidecar.
	AllInOne
	// Sidecar is a sidecar.
	Sidecar
)

// String returns the name of k in messages.
func (k ProcessKind) String() string {
	switch k {
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

// Floor returns the minimum limit for a process of this kind.
func (k ProcessKind) Floor() int64 {
	switch k {
	case Sidecar:
		return 96 * mib
	case AllInOne:
		return 160 * mib
	default:
		return 128 * mib
	}
}
