package bench

import (
	"context"
	"time"
)

// A serverKind is a kind of server under test.
type serverKind int

const (
	anyScheduler serverKind = iota // any Scheduler service
	anySidecar                     // any sidecar
	ownScheduler                   // a scheduler that the run starts: it kills the process and reads the data directory
	ownCluster                     // several schedulers that the run starts
)

// measures reports whether a run measures servers of that kind. Without the address of a running
// server, it starts all kinds of a single node.
func (c Config) measures(s serverKind) bool {
	if c.Nodes > 0 || s == ownCluster {
		return c.Nodes > 0 && s == ownCluster
	}
	switch s {
	case anyScheduler:
		return c.Scheduler != "" || c.Sidecar == ""
	case anySidecar:
		return c.Sidecar != "" || c.Scheduler == ""
	default:
		return c.Scheduler == "" && c.Sidecar == ""
	}
}

// steps returns all steps, in the order in which they run.
func steps() []step {
	return []step{
		{[]int{1, 2}, "schedule", anyScheduler, (*bench).schedule, func(s Sizes) time.Duration {
			return 2*time.Second + time.Duration(3*s.Rounds+1)*(s.Window+warmUp)
		}},
		{[]int{3}, "one caller alone", anyScheduler, (*bench).singleCaller, func(s Sizes) time.Duration {
			return time.Second + time.Duration(3*s.Calls*s.Rounds)*time.Millisecond
		}},
		{[]int{4}, "burst", anyScheduler, (*bench).burst, func(s Sizes) time.Duration {
			return time.Second + time.Duration(s.Rounds)*(3*time.Second+fillTime(s.Burst))
		}},
		{[]int{5}, "recurring jobs", anyScheduler, (*bench).recurring, func(s Sizes) time.Duration {
			return 2*time.Second + startSpread + time.Duration(s.Repeats)*period
		}},
		{[]int{6}, "idle lateness", anyScheduler, (*bench).idle, func(s Sizes) time.Duration { return 3*time.Second + s.Idle }},
		{[]int{10}, "get", anyScheduler, (*bench).get, func(s Sizes) time.Duration {
			return 2*time.Second + time.Duration(2*s.Rounds+1)*(s.Window+warmUp)
		}},
		{[]int{11}, "list", anyScheduler, (*bench).list, func(s Sizes) time.Duration { return time.Second + 2*fillTime(s.List) }},
		{[]int{18}, "schedule many jobs in a call", anyScheduler, (*bench).bulkSchedule, bulkDuration},
		{[]int{12, 13, 19}, "sidecar", anySidecar, (*bench).overHTTP, func(s Sizes) time.Duration {
			return 2*time.Second + time.Duration(s.Rounds)*(4*s.Window+4*time.Second+2*fillTime(s.Burst)) + s.Window
		}},
		{[]int{16}, "isolation", anyScheduler, (*bench).isolation, func(s Sizes) time.Duration {
			return 7*time.Second + 4*(s.Idle+2*time.Second) + 2*fillTime(s.Hung)
		}},
		{[]int{20}, "overload", anyScheduler, (*bench).overload, overloadDuration},
		{[]int{7, 8, 9, 17, 21}, "stored jobs", ownScheduler, (*bench).storedJobs, func(s Sizes) time.Duration {
			return 30*time.Second + 2*fillTime(s.Stored) + s.Soak + s.Rest + time.Duration(s.Pages)*10*time.Millisecond
		}},
		{[]int{14}, "schedule on several nodes", ownCluster, (*bench).scheduleOnCluster, func(s Sizes) time.Duration {
			return 10*time.Second + time.Duration(2*s.Rounds+2)*(s.Window+warmUp)
		}},
		{[]int{15}, "the loss of a node", ownCluster, (*bench).losses, func(s Sizes) time.Duration {
			return 15*time.Second + time.Duration(s.Losses+1)*lossTime
		}},
		{[]int{20}, "overload of several nodes", ownCluster, (*bench).overloadOnCluster, func(s Sizes) time.Duration {
			return 10*time.Second + 2*overloadDuration(s)
		}},
	}
}

// A step takes the measures of some rows together.
type step struct {
	rows []int
	name string
	kind serverKind
	run  func(b *bench, ctx context.Context) ([]RowResult, error)
	// duration estimates how long the step takes with sizes s.
	duration func(s Sizes) time.Duration
}
