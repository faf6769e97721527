package storecmd

import (
	"fmt"
	"io"
)

// showProgress returns a function that prints the progress, a line per hundred thousand jobs.
func showProgress(what string, to io.Writer) func(jobs int) {
	next := 100_000
	return func(jobs int) {
		if jobs >= next {
			next = jobs + 100_000
			fmt.Fprintf(to, "%s %s\n", countJobs(jobs), what)
		}
	}
}

// countJobs returns a number of jobs in words.
func countJobs(jobs int) string {
	if jobs == 1 {
		return "1 job"
	}
	return fmt.Sprintf("%d jobs", jobs)
}
