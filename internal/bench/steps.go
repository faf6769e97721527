package bench

import "time"

// A source is what a step measures.
type source int

const (
	aScheduler source = iota // any Scheduler service
	aSidecar                 // any sidecar
	ours                     // a scheduler of our own: its process is stopped, and its folder looked at
	aCluster                 // several schedulers of our own
)

// has reports whether c has such a source: those that are not given are started, unless another is given.
func (c Config) has(s source) bool {
	if c.Nodes > 0 || s == aCluster {
		return c.Nodes > 0 && s == aCluster
	}
	switch s {
	case aScheduler:
		return c.Scheduler != "" || c.Sidecar == ""
	case aSidecar:
		return c.Sidecar != "" || c.Scheduler == ""
	default:
		return c.Scheduler == "" && c.Sidecar == ""
	}
}

// steps returns all measures, in the order in which they are taken.
func steps() []step {
	return []step{
		{[]int{1, 2}, "schedule", aScheduler, (*bench).schedule, func(s Sizes) time.Duration {
			return 2*time.Second + time.Duration(3*s.Rounds+1)*(s.Window+warmUp)
		}},
		{[]int{3}, "one caller alone", aScheduler, (*bench).alone, func(s Sizes) time.Duration {
			return time.Second + time.Duration(3*s.Calls*s.Rounds)*time.Millisecond
		}},
		{[]int{4}, "burst", aScheduler, (*bench).burst, func(s Sizes) time.Duration {
			return time.Second + time.Duration(s.Rounds)*(3*time.Second+each(s.Burst))
		}},
		{[]int{5}, "recurring jobs", aScheduler, (*bench).recurring, func(s Sizes) time.Duration {
			return 2*time.Second + phases + time.Duration(s.Repeats)*period
		}},
		{[]int{6}, "idle lateness", aScheduler, (*bench).idle, func(s Sizes) time.Duration { return 3*time.Second + s.Idle }},
		{[]int{10}, "get", aScheduler, (*bench).get, func(s Sizes) time.Duration {
			return 2*time.Second + time.Duration(2*s.Rounds+1)*(s.Window+warmUp)
		}},
		{[]int{11}, "list", aScheduler, (*bench).list, func(s Sizes) time.Duration { return time.Second + 2*each(s.List) }},
		{[]int{18}, "schedule over streams", aScheduler, (*bench).bulk, bulkTakes},
		{[]int{12, 13, 19}, "sidecar", aSidecar, (*bench).overHTTP, func(s Sizes) time.Duration {
			return 2*time.Second + time.Duration(s.Rounds)*(4*s.Window+4*time.Second+2*each(s.Burst)) + s.Window
		}},
		{[]int{16}, "isolation", aScheduler, (*bench).isolation, func(s Sizes) time.Duration {
			return 7*time.Second + 4*(s.Idle+2*time.Second) + 2*each(s.Hung)
		}},
		{[]int{20}, "overload", aScheduler, (*bench).overload, overloadTakes},
		{[]int{7, 8, 9, 17}, "stored jobs", ours, (*bench).storedJobs, func(s Sizes) time.Duration {
			return 30*time.Second + 2*each(s.Stored) + s.Soak
		}},
		{[]int{14}, "schedule on several nodes", aCluster, (*bench).across, func(s Sizes) time.Duration {
			return 10*time.Second + time.Duration(2*s.Rounds+2)*(s.Window+warmUp)
		}},
		{[]int{15}, "the loss of a node", aCluster, (*bench).losses, func(s Sizes) time.Duration {
			return 15*time.Second + time.Duration(s.Losses+1)*lossTime
		}},
		{[]int{20}, "overload of several nodes", aCluster, (*bench).overloadAcross, func(s Sizes) time.Duration {
			return 10*time.Second + 2*overloadTakes(s)
		}},
	}
}

// each returns about how long it takes to schedule n jobs.
func each(n int) time.Duration { return time.Duration(n) * 50 * time.Microsecond }
