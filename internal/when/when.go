// Package when answers one question: when is a job due?
//
// A user says it in [Words]: a schedule, a due time, a time to live, a number
// of repeats. [Words.Resolve] checks the words and turns them, once, into a
// [Plan]; from then on [Plan.Next] names one due instant after another. Words
// are the only place where time is relative: a plan holds instants.
//
// # What it promises
//
//   - It is pure. Nothing here reads a clock, starts a goroutine or writes a
//     file; the same arguments give the same answer on every node with the
//     same zone data. All of it is safe for concurrent use.
//   - It speaks UTC. Every instant it returns is in UTC without a monotonic
//     reading, and a schedule without a zone is evaluated in UTC, whatever the
//     host's zone is. Zone data is embedded in the program, for hosts that
//     have none.
//   - It is never early. A calendar schedule yields whole seconds whose wall
//     clock matches every field; an interval adds exactly itself.
//   - It does not drift. The next instant follows from the previous due
//     instant, never from when that one was delivered.
//   - It skips nothing. Missed instants are returned one by one; how many of
//     them to deliver is somebody else's choice.
//   - It never panics on input, and it ends: a calendar schedule is searched
//     for forty years, well beyond the eight between two leap days around a
//     century, and one that names no possible date is refused when it is read.
//   - It never wraps around. Every instant fits into 64-bit Unix nanoseconds,
//     that is from 1678 to the spring of 2262. A due time outside is refused,
//     an end outside is moved to the edge, and a rule that runs past the edge
//     has no further instant.
//
// # Daylight saving
//
// A schedule with a zone fires at every real second at which a clock on a wall
// in that zone shows a matching time. All else follows: a wall time skipped in
// spring does not fire that day, one shown twice in autumn fires twice, and an
// hourly schedule fires every real hour where clocks change by whole hours.
// Where midnight itself is skipped, a daily job at midnight skips that day.
package when

import (
	"math"
	"time"
)

// Error says what is wrong with a user's words. Its text is for that user.
type Error struct {
	Field  string // what to correct: schedule, due_time, ttl or repeats
	Reason string
}

// Error returns the reason alone.
func (e *Error) Error() string { return e.Reason }

// The instants that fit into 64-bit Unix nanoseconds, to the nanosecond and to
// the whole second.
const (
	earliest, latest = math.MinInt64, math.MaxInt64
	latestSecond     = latest / int64(time.Second)
)

// within reports whether t fits into 64-bit Unix nanoseconds.
func within(t time.Time) bool {
	return !t.Before(time.Unix(0, earliest)) && !t.After(time.Unix(0, latest))
}

// clamp returns the instant nearest to t that fits into Unix nanoseconds.
func clamp(t time.Time) time.Time {
	if least := time.Unix(0, earliest).UTC(); t.Before(least) {
		return least
	}
	if most := time.Unix(0, latest).UTC(); t.After(most) {
		return most
	}
	return t
}
