package bench

import "time"

// Sizes are the sizes of all loads of a run.
type Sizes struct {
	Name      string        `json:"name"`
	Rounds    int           `json:"rounds"`    // of a throughput; the median counts
	Window    time.Duration `json:"window_ns"` // how long one throughput is measured
	Calls     int           `json:"calls"`     // of one caller alone
	Burst     int           `json:"burst"`     // jobs that are due at one instant
	Recurring int           `json:"recurring"` // jobs at @every 1s
	Repeats   int           `json:"repeats"`   // occurrences of each
	Losses    int           `json:"losses"`    // nodes of a cluster to kill, one after the other
	// How long the lateness of an idle server is measured, at 100 triggers a second.
	Idle     time.Duration `json:"idle_ns"`
	Few      int           `json:"few"`         // jobs that count as few
	List     int           `json:"list"`        // jobs in one list
	Stored   int           `json:"stored"`      // jobs far in the future
	Pages    int           `json:"pages"`       // of the stored jobs, in each order
	Hung     int           `json:"hung"`        // jobs due for an app that hangs
	Beside   int           `json:"beside"`      // jobs that are due at one instant beside the stored ones
	Busy     int           `json:"busy"`        // jobs of the apps that have more work than the server can do
	Overload time.Duration `json:"overload_ns"` // how long lateness and calls are each measured beside them
	Soak     time.Duration `json:"soak_ns"`     // duration of the rounds beside the stored jobs; at least one round
	Rest     time.Duration `json:"rest_ns"`     // idle time of a server before its memory is read
	Linger   time.Duration `json:"linger_ns"`   // how long a run waits for triggers that must not come
	Patience time.Duration `json:"patience_ns"` // the others count as lost if no trigger comes for this long
}

// Quick returns the sizes of a run of about three minutes.
func Quick() Sizes {
	return Sizes{
		Name: "quick", Rounds: 1, Window: 1200 * time.Millisecond, Calls: 500, Burst: 20_000, Recurring: 20_000, Repeats: 5, Losses: 1,
		Idle: 3 * time.Second, Few: 10_000, List: 30_000, Stored: 50_000, Pages: 200, Hung: 20_000, Beside: 5000,
		Busy: 20_000, Overload: 3 * time.Second,
		Rest: time.Second, Linger: 500 * time.Millisecond, Patience: 10 * time.Second,
	}
}

// Full returns the sizes for which the thresholds are defined.
func Full() Sizes {
	return Sizes{
		Name: "full", Rounds: 5, Window: 5 * time.Second, Calls: 3000, Burst: 20_000, Recurring: 20_000, Repeats: 60, Losses: 6,
		Idle: time.Minute, Few: 10_000, List: 300_000, Stored: 10_000_000, Pages: 2000, Hung: 1_000_000, Beside: 20_000,
		Busy: 20_000, Overload: 10 * time.Second,
		Soak: 30 * time.Minute, Rest: 10 * time.Second, Linger: 2 * time.Second, Patience: time.Minute,
	}
}
