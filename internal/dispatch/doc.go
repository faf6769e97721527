// Package dispatch knows which sidecars are connected, what is out with each, and who has room.
//
// A [Stream] is one connected receiver; it serves some targets. [Dispatcher.Deliver] hands a trigger to the stream of
// its target whose turn it is: strictly in turn, in the order in which they connected, passing over those without
// room. A trigger is then out with that stream, until the stream settles it or closes.
//
// It promises:
//   - Deliver never blocks. It takes a trigger or refuses it at once, so that no circle of waits can close.
//   - What is taken ends exactly once: with the outcome that the receiver reports, or as lost when its stream closes.
//   - What is refused is woken once, as soon as there may be room, unless the same partition is refused again or
//     withdraws. The refusal and the waiting are one step, so no wake-up is lost between them. So what waits is
//     bounded: one waiter for each partition and target.
//   - What is out with a stream is bounded, in number and in bytes. A stream that takes nothing fills up and is
//     passed over; it costs the other streams and targets nothing.
//   - What waits to be sent is bounded in bytes for all streams together, and targets share that fairly: receivers that take
//     nothing fill their own share.
//   - No more triggers of an actor type are out with streams at once than this node's [Share] of a [Limit] allows; those
//     beyond wait here, held, and go on eldest first, each as soon as every slot that it needs is free. All slots of a
//     trigger that has ended are freed before anybody is looked at. A new trigger whose slots are free does not queue
//     behind those whose are not. What is held is bounded, too: beyond the bound Deliver refuses, and the lane waits in
//     the engine, where it costs next to nothing.
//   - What has ended or withdrawn is let go of, and a target without streams and waiters leaves no trace.
//
// All state belongs to one mutex of the [Dispatcher], held for a few instructions at a time; callbacks are called
// without it. The package starts no goroutine but those of its timers. Nothing is written down here: after a crash the
// engine still knows what it is owed, and after a lost stream it delivers again, to the next one.
//
// A trigger counts as undelivered once for each refusal because nobody serves its target, and once when it is lost with
// its stream, or with the last stream of its target while it was held; not when there is somebody without room. Dapr counts each trigger that nobody is there for; the engine,
// once refused, keeps the other triggers of the lane to itself, so that a lane counts once however long it is.
//
// When room is scarce, because an app has nearly all of it taken by calls that hang, waking every waiter for each
// place that comes free would cost more than the deliveries. So waiters are woken at once only if there is a place for
// each, and otherwise together, a few milliseconds later.
package dispatch
