// Package simulate runs whole nodes in a simulated world full of faults, and checks the promises of
// docs/architecture.md afterwards.
//
// A world has a scheduler with its store and dispatcher, sidecars with their apps, over HTTP and gRPC,
// and users who schedule, overwrite, delete, get and list. All of it is the real code, with a disk and a
// network in memory, in the fake time of testing/synctest. Only Dapr's sidecars are simulated; some of
// them have actor types with reminders, which ours does not have.
//
// One seed decides what the users do, which faults occur, and when: power cuts at any write to the disk,
// with any part of unsynced data lost; a disk that is slow, full or hung, or returns errors; connections
// that are reset, slow, or cut in one direction; nodes that stop or pause, and clocks that are stepped;
// sidecars that are killed, or answer late, twice or never; apps that are slow, hung, failing, absent or
// restarting. In the end all faults are repaired, and everything that is owed has time to be delivered.
//
// What happened is recorded in a history. Checkers read it afterwards, each for one promise, and know
// nothing of the implementation. For each there is a test with a scheduler that breaks its promise.
//
//   - early: no trigger is sent before it is due;
//   - lost: every acknowledged job is delivered;
//   - occurrences: the distinct occurrences of a job, and the attempts at each, follow its plan and policy;
//   - duplicates: a redelivered occurrence had no outcome that the store could know, and is counted;
//   - single: a job has one delivery in flight at a time;
//   - limit: an actor type has no more reminders in flight from a node than its sidecars state;
//   - silent: a deleted or replaced job is not delivered any more;
//   - linear: each answer is valid at one moment between its request and its arrival (linearizability);
//   - health: it is red when jobs are due and nothing is sent, and green when all is well.
//
// # Determinism
//
// The same seed makes the same users, faults and apps, to the nanosecond. It does not determine what Go
// leaves open: which of several runnable goroutines runs first, which ready case a select takes, the order
// of a map, and the jitter of reconnects. So two runs of one seed differ in the order of events at one
// instant, and after a lost connection by parts of a second. Run a failed seed again several times; its
// history shows what happened the first time.
//
// # Clocks
//
// Each host has a wall clock, which its schedulers use. It can be stepped: by some milliseconds or by up
// to 100 s, forward and back, as NTP or an operator does. Timers and leases use the monotonic clock of the
// bubble, which is the same everywhere. Checkers use it, too, and know what the clock of each host showed.
// A trigger may be sent earlier by as much as the clock of its node was ahead, and no more. A plan is
// resolved by the clock of the node that resolved it. What a step makes due is sent within a minute, with
// health soon red meanwhile. When all faults are repaired, all clocks are right again, and what is owed is
// delivered. The clocks of apps and sidecars do not matter.
package simulate
