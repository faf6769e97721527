package when

import "fmt"

// Error is the error of an invalid field. Its text is for the user.
type Error struct {
	Field  string // what to correct: schedule, due_time, ttl or repeats
	Reason string // in the words of Dapr if Dapr refuses it, too
	Help   string // what to write instead, in a few hundred bytes; empty if the reason says it
}

// Error returns the reason, and then the help.
func (e *Error) Error() string {
	if e.Help == "" {
		return e.Reason
	}
	return e.Reason + ": " + e.Help
}

// maxHelped is how many bytes a text may have to be corrected; people do not write longer ones by
// hand.
const maxHelped = 100

// quote returns s in quotes, cut off where it is long.
func quote(s string) string { return fmt.Sprintf("%.100q", s) }
