package explain

import "carillon/internal/when"

// A Schedule says when a job is due.
type Schedule struct {
	// Plan is the resolved rule.
	Plan when.Plan
	// HasDueTime says that the user gave a due time, which is Plan.First. Otherwise Plan.First is
	// the first instant of the rule.
	HasDueTime bool
}
