// Package dispatch delivers triggers to the connected sidecars, and keeps track of what is in
// flight.
//
// A [Stream] is one connected receiver; it serves some targets. [Dispatcher.Deliver] gives a
// trigger to a stream of its target: round robin, in the order in which the streams connected,
// skipping streams without capacity. The trigger is then in flight until the stream settles it or
// closes.
//
// The package promises:
//   - Deliver never blocks. It accepts or refuses a trigger at once, so that no deadlock with the
//     engine is possible.
//   - Each accepted trigger ends exactly once: with the outcome that the receiver reports, or as
//     lost when its stream closes.
//   - Each refusal is woken once, as soon as there may be capacity, unless the same partition is
//     refused again or withdraws. Deliver refuses and registers the waiter in one step, so no
//     wake-up is lost in between. Waiters are bounded: there is one for each partition and target.
//   - What is in flight on a stream is bounded, in number and in bytes. A stream that takes nothing
//     fills up and is skipped; it costs the other streams and targets nothing.
//   - What waits to be sent is bounded in bytes over all streams. Targets share these bytes fairly:
//     receivers that take nothing fill only their own share.
//   - The triggers of an actor type in flight never exceed this node's [Share] of its
//     [ConcurrencyLimit]. Further ones are held here. The oldest goes first, as soon as every slot
//     that it needs is free. When a trigger ends, all its slots are freed before held triggers are
//     examined. A new trigger whose slots are free does not queue behind held ones whose slots are
//     not. Held triggers are bounded: beyond the bound Deliver refuses, and the lane waits in the
//     engine, where it costs next to nothing.
//   - References to what has ended or withdrawn are dropped. A target without streams and waiters
//     uses no memory.
//
// A dispatcher has one state for each target, which knows the states of its streams, and one that
// they all share. The mutex of the shared state guards all of them. It is held for a few
// instructions at a time, and callbacks are called without it. The package starts no goroutines
// except those of its timers.
// Nothing is persisted here: after a crash the engine still knows which triggers are owed, and
// after a lost stream it redelivers to the next one.
//
// A trigger counts as undelivered for each refusal because no stream serves its target. It also
// does when it is lost with its stream, or is held when the last stream of its target closes. It
// does not when streams are connected but have no capacity. Dapr counts each trigger without a
// receiver; the engine keeps the remaining triggers of a refused lane, so that a lane of any length
// counts once.
//
// Capacity is scarce when hanging calls of an app use up nearly all of it. To wake every waiter for
// each freed slot would then cost more than the deliveries. So waiters are woken at once only if
// there is capacity for each, and otherwise together, a few milliseconds later.
package dispatch
