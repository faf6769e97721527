// Package simulate runs whole nodes in a world that is against them, and looks at what came of it.
//
// A world is a scheduler with its store and dispatcher, sidecars with their apps, and users who schedule, overwrite,
// delete, get and list: everything is the real thing, on a disk and a network in memory, in the fake time of
// testing/synctest. One seed decides what the users do, what goes wrong, and when: power cuts at any write to the disk,
// with any part lost of what was not synced; a disk that is slow, full, hung, or returns errors; connections that are
// reset, slow, or cut one way; nodes that stop, and nodes that are paused; sidecars that are killed; sidecars of others
// that answer late, twice, or never; apps that are slow, hung, failing, absent or restarting. In the end all is mended, and what
// is owed has time to come.
//
// What happened is a history. Checkers read it afterwards, each for one promise (docs/architecture.md), and know nothing
// of how a scheduler works; for each there is a test with a scheduler that breaks that promise.
//
//   - early: nothing is sent before it is due;
//   - lost: what was acknowledged is delivered;
//   - occurrences: the distinct occurrences of a job, and the attempts at each, are those of its plan and policy;
//   - duplicates: what is delivered again had no outcome that the store could know, and is counted;
//   - single: a job has one delivery out at a time;
//   - silent: what was deleted or replaced is not sent any more;
//   - linear: answers are those of one moment between question and answer;
//   - health: it is red when jobs are due and nothing is sent, and green when all is well.
//
// # What a seed decides, and what it does not
//
// The same seed makes the same users, faults and apps, to the nanosecond. What it does not decide is what Go itself
// leaves open: which of the goroutines that are ready at one instant runs first, which ready case a select takes, the
// order of a map, and the jitter with which sidecars and gRPC connect again. So two runs of one seed differ in the order
// of what happens at one instant, and after a lost connection by parts of a second. A seed that has failed is run again
// as often as it takes; its history says what happened the first time.
//
// The clock of the world is one: it cannot be stepped under a node, since there is no clock to pass to it
// (docs/decisions/0005). A step forward is, to a scheduler, what a pause is: much has become due at once; pauses are
// among the faults. A step back is not simulated.
package simulate
