// Package engine knows when jobs are due and how far each has got.
//
// A job whose Schedule returned nil is fired when it is due, not a moment earlier, until it has
// been handled, its policy gives it up, it expires, or it is deleted. No job is in flight twice at
// a time. Counts are exact whatever crashes: an occurrence may be delivered again after a crash,
// but is settled once.
//
// Keys are divided into partitions, and partitions among a few loops. A loop is one goroutine that
// owns a pure machine, see [carillon/internal/engine/machine], and runs turns: take commands and
// outcomes from the inbox, read the records that they need, decide, send triggers, commit
// everything in one durable batch, and only then reply to callers.
//
// Firing writes nothing, and a trigger waits for no commit: the due index says that it is owed
// until its outcome is recorded. While a commit is in progress the loop fires other jobs.
//
// A turn takes a bounded number of commands and outcomes, half of them commands if there are
// enough, and takes each target in turn. So no call waits for more than a few turns, whatever the
// load. See [carillon/internal/fair].
//
// After an error of the store it is unknown what the store has applied. Callers get
// [job.ErrUnavailable]. The loop resets its machine and loads its partitions again, with back-off;
// other loops are not affected. Outcomes of triggers in flight at that moment are ignored, and
// their jobs are delivered again.
//
// # Where to read
//
// A call that schedules a job:
//
//	schedule.go   Engine.Schedule makes a command
//	inbox.go      inbox.do: it waits in the inbox of the loop of its partition
//	turn.go       loop.turn takes it (work.go) and reads the job's record (read.go)
//	machine       Machine.Schedule decides what to write
//	commit.go     loop.commitTurn commits it, then replies
//
// A due job:
//
//	looprun.go    loop.turns: the timer fires
//	turn.go       loop.turn: the turn
//	machine       Machine.Pick takes it from its lane's window
//	read.go       loop.readDue reads its record
//	machine       Machine.Fire makes a delivery
//	send.go       loop.send offers the trigger to the Deliverer
//	inbox.go      inbox.addOutcome: the outcome waits for a turn
//	machine       Machine.Settle records it and finds the next due instant
//	commit.go     loop.commitTurn commits it; loop.fireDuring fires meanwhile
//
// The other files, by duty:
//
//	engine.go, run.go                    the Engine; what runs while it runs
//	list.go, schedulebatch.go            reads; calls on many jobs
//	view.go, viewprogress.go             what people see of jobs: pages; what holds a due job
//	runpartition.go, inboxpartition.go   which partitions a loop owns (types in ownership.go)
//	fullstore.go, overload.go            a full store; more work than turns can do
//	checkstore.go                        whether this engine can use the store
//	reencryption.go                      sealing all jobs again with another key
//	health.go, watchdog.go               whether loops make progress
//	metrics.go, collector.go, joblog.go  what is counted and logged
//	waker.go, backoff.go, yield.go       sleeping, and letting others run
//
// Files refer to one another in one direction only: the methods of a loop to the loop, and the loop
// to the types of its fields.
//
// Packages below have no loop: [carillon/internal/engine/machine] decides,
// [carillon/internal/engine/record] encodes, [carillon/internal/engine/quarantine] has what turns
// read and cannot use, and [carillon/internal/engine/storemeta] has what a store says about itself.
package engine
