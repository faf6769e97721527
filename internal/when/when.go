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
//   - It skips nothing. Missed instants are returned one by one; the
//     caller decides how many of them to deliver.
//   - It never panics on input, and it ends: a calendar schedule is searched
//     for forty years, well beyond the eight between two leap days around a
//     century, and one that names no possible date is refused when it is read.
//   - It never wraps around. Every instant that RFC 3339 can write is valid, in
//     any zone: the years 0 to 9999, and a day around them. Instants end with
//     the years -1 and 10000. A due time outside is refused, an end outside is
//     moved to the edge, and a rule that runs past the edge has no further
//     instant.
//
// # Daylight saving
//
// A schedule with a zone fires at every real second at which a clock on a wall
// in that zone shows a matching time. All else follows: a wall time skipped in
// spring does not fire that day, one shown twice in autumn fires twice, and an
// hourly schedule fires every real hour where clocks change by whole hours.
// Where midnight itself is skipped, a daily job at midnight skips that day.
package when

import "time"

// The seconds, in Unix time, in which instants lie: from the first of the year
// -1 to the last of the year 10000.
const (
	firstSecond int64 = -62_198_755_200
	lastSecond  int64 = 253_433_923_199
)

// InRange reports whether t is an instant that may be due: one that RFC 3339
// can write in some zone, or less than two years away from those.
func InRange(t time.Time) bool { return firstSecond <= t.Unix() && t.Unix() <= lastSecond }

// Clamp returns the instant nearest to t that is in range, in UTC.
func Clamp(t time.Time) time.Time {
	switch second := t.Unix(); {
	case second < firstSecond:
		return time.Unix(firstSecond, 0).UTC()
	case second > lastSecond:
		return time.Unix(lastSecond, int64(time.Second-1)).UTC()
	}
	return t.UTC()
}

// Seconds returns how many seconds lie between two instants, exact to the
// microsecond or so within a few hundred years, and to the millisecond
// otherwise. A [time.Duration] ends after 292 years.
func Seconds(from, to time.Time) float64 {
	return float64(to.Unix()-from.Unix()) + float64(to.Nanosecond()-from.Nanosecond())/float64(time.Second)
}
