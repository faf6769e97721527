package dispatch

// Stats is a snapshot of a [Dispatcher].
type Stats struct {
	Streams  int    // that are connected
	InFlight int    // triggers accepted and not ended, held ones included
	Held     int    // triggers that wait for a slot of a concurrency limit
	Waiting  int    // waiters: refusals of partitions that were not woken yet, of all targets
	Targets  int    // that have a stream, a waiter or a concurrency limit
	Ignored  uint64 // results for triggers that were not in flight, since the start
}
