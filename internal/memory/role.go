package memory

// A Role is the kind of a process for its memory budget.
type Role int

// The roles.
const (
	// Scheduler is a single scheduler with its own store.
	Scheduler Role = iota
	// SchedulerWithEtcd is a scheduler of a cluster with an embedded etcd member.
	SchedulerWithEtcd
	// SchedulerOnEtcd is a scheduler of a cluster on an external etcd.
	SchedulerOnEtcd
	// AllInOne is a single scheduler with its own store, and a sidecar.
	AllInOne
	// Sidecar is a sidecar.
	Sidecar
)

// String returns the name of r in messages.
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

// Floor returns the minimum limit for a process of this role.
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
