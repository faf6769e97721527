package dispatch

import "carillon/internal/job"

// A ConcurrencyLimit limits the triggers of an actor type that are in flight: all of them, or those
// with one concurrency key. It applies to all streams, while a stream that states it is connected.
// If streams state different limits, the one that connected last wins. Triggers that were sent
// before there was a limit do not count. In a cluster this node grants its [Share] of it.
type ConcurrencyLimit struct {
	Target job.Target // an actor type; a limit of another kind of target is ignored
	Key    *string    // the concurrency key; nil: all triggers of the type
	Max    int        // in the whole cluster; a limit that is not positive is ignored
}

// A Share is the part of each [ConcurrencyLimit] that this node grants. A limit applies to the
// whole cluster, and each node delivers over its own streams alone, so the nodes divide it
// (scheduler specification §2.6, "Split over the cluster"). Nodes do not lend unused parts to one
// another.
type Share struct {
	Nodes int // live nodes of the cluster, this one included; 1 without a cluster
	Index int // this node's place among their addresses in ascending order, from 0 to Nodes-1
}

// of returns how many of limit slots the node grants, at least 1: with fewer slots than nodes the
// sum exceeds limit.
func (s Share) of(limit int) int {
	n := limit / s.Nodes
	if s.Index < limit%s.Nodes {
		n++
	}
	return max(1, n)
}
