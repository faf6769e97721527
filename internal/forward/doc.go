// Package forward brings calls about jobs to the node of the cluster that owns them.
//
// In a cluster a [Router] takes the place of the engine: it stores jobs for the Scheduler service.
// Calls about partitions of its own node go to the engine there. The others go to the owner, those of
// one call in one message; the owner never forwards them. [Router.Follow] sets the owners. Get
// and List read the store, which all nodes share and which holds every acknowledged job.
//
// While a partition moves, or its owner is unreachable, a call that has not begun is retried until
// its caller gives up or ten seconds have passed; then it gets [job.ErrUnavailable]. A call whose
// owner was lost after it began gets the same error: its outcome is unknown. It is not retried,
// because later calls may have been carried out meanwhile.
//
// The commands about one job in one call are carried out in order. If the first has to be retried
// after a later one was carried out, it gets [job.ErrUnavailable] and is not carried out.
package forward
