package bench

import "time"

// expectation is what a run must deliver: jobs named by numbers from 0, and how often each is due.
type expectation struct {
	jobs, times int
	// due returns the instant before which the occurrence k of a job, from 0, may not come.
	due func(job, k int) time.Time
}
