// Package engine knows when jobs are due and how far each has got.
//
// It promises that a job whose Schedule returned nil is fired when it is due, not a moment earlier, until it has been
// handled, its policy has given it up, it has expired or it was deleted; that no job is out twice at a time; and that
// what it counts is exact whatever crashes: an occurrence may be delivered again after a crash, but is settled once.
//
// Keys are divided into partitions, and partitions among a few loops. A loop is one goroutine, which owns a pure machine
// and turns it: gather commands and outcomes, read what they need, let the machine decide, let triggers leave, commit
// all of it in one durable batch, and only then answer callers. Firing writes nothing, and a trigger waits for no
// commit: the due index says that it is owed until its outcome is recorded. While a commit is under way the loop fires on, but
// nothing of the jobs that it is about.
//
// What a machine holds in memory is bounded by what is about to happen. Each lane, the jobs of one target, has a
// window on the due index of a few entries, and a cursor to where it has been read; a lane whose receivers have no room
// is parked, however much is due in it. Triggers are in flight from when they are read until their outcome is committed: one
// small record for each, of which a loop has a bounded number. Targets share that number fairly, and the lanes of a target
// that has its share are throttled until some of it is committed.
//
// No load keeps anybody waiting for longer than a few turns: a turn takes a bounded number of commands and outcomes, half of
// them commands as long as there are so many, and each target has its turn. See [carillon/internal/fair].
//
// When the store returns an error, nobody knows what it has applied: callers hear [job.ErrUnavailable], and the
// loop's machine forgets what it knew and learns it afresh, with back-off, while the other loops go on. Triggers that are out at
// that moment are waited for, but not believed: they are delivered again.
//
// Health names the partitions that do not turn. What a machine holds is counted for the metrics by its own loop, in its
// next turn.
package engine
