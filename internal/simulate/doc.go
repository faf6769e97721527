// Package simulate runs whole nodes in a world that is against them, and looks at what came of it.
//
// A world is a scheduler with its store and dispatcher, sidecars with their apps, over HTTP and gRPC, and users who
// schedule, overwrite, delete, get and list: everything is the real thing, on a disk and a network in memory, in the fake
// time of testing/synctest. Only the sidecars of others are made for it; some of them have actor types with reminders,
// which ours has not. One seed decides what the users do, what goes wrong, and when: power cuts at any write to the disk,
// with any part lost of what was not synced; a disk that is slow, full, hung, or returns errors; connections that are
// reset, slow, or cut one way; nodes that stop, nodes that are paused, and clocks that are stepped; sidecars that are
// killed; sidecars of others that answer late, twice, or never; apps that are slow, hung, failing, absent or restarting.
// In the end all is mended, and what is owed has time to come.
//
// What happened is a history. Checkers read it afterwards, each for one promise (docs/architecture.md), and know nothing
// of how a scheduler works; for each there is a test with a scheduler that breaks that promise.
//
//   - early: nothing is sent before it is due;
//   - lost: what was acknowledged is delivered;
//   - occurrences: the distinct occurrences of a job, and the attempts at each, are those of its plan and policy;
//   - duplicates: what is delivered again had no outcome that the store could know, and is counted;
//   - single: a job has one delivery out at a time;
//   - limit: an actor type has no more reminders from a node at once than its sidecars have told;
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
// # Clocks
//
// Each host has a clock on its wall, which its schedulers go by, and which can be stepped: by some milliseconds or by up
// to 100 s, forward and back, as NTP or an operator does. Timers and leases go by the other clock, the bubble's, which
// is the same everywhere. Checkers go by that, too, and know what each host's clock showed: a trigger may leave as much
// earlier as the clock of its node was ahead, and no more; a plan is what the words meant by the clock of the node that
// resolved them; and what a step makes due leaves within a minute, with health red from soon on. When all is mended all
// clocks are right again, and what is owed comes. Apps and sidecars have no clock that matters.
package simulate
