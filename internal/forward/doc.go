// Package forward brings calls about jobs to the node of the cluster that owns them.
//
// A [Router] stands where a node alone has its engine: it keeps jobs for the Scheduler service. What is about partitions
// of its own node goes to the engine there, the rest over a stream to the owner, many calls in a message; the owner never
// passes them on. Who owns what it learns from [Router.Follow]. Get and List are answered from the store, which all nodes
// share and in which everything is that was acknowledged.
//
// While a partition moves, or its owner cannot be reached, a call that has not begun is tried again until its caller
// gives up or ten seconds have passed; then it gets [job.ErrUnavailable]. So does a call whose owner was lost while it
// was under way: nobody knows whether it was carried out. It is not tried again, because others may have been since.
//
// Of commands about one job that come in one call, the first is carried out first. If the first had to be tried again
// when a later one was done already, it gets [job.ErrUnavailable] and was not done.
package forward
