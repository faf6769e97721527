// Package cluster says which node owns which partition.
//
// Nodes agree through a [Coordinator]. A node that joins has a [Session], for as long as it keeps its lease alive. In it
// the node sees the members and the assignment of partitions to them, and claims the partitions that are its own. A claim
// is the proof of ownership: a [store.Fence] that the store compares in each batch. [Run] does all that for a node, and
// has it own what it should.
//
// What it promises:
//
//   - A partition has one owner. The next one waits until the present one has let go, or has lost its lease.
//   - A node that joins or leaves moves as few partitions as can be, and the others go on meanwhile. Nobody has more than
//     one partition more than another.
//   - A node whose lease may have ended owns nothing: [Session.Alive] says so by the node's own clock, counted from before
//     the lease was asked for. What it still writes is refused by its fences.
//   - Without a majority, nodes lose their sessions and stop; they join again by themselves when it is back.
//
// The clock is the machine's monotonic one. A machine that is suspended as a whole may wake up with a clock that has
// stood still: it can then fire for an instant what another node fires too, but it can write nothing.
//
// [Etcd] coordinates the nodes of a cluster. A node alone needs no agreement: its engine owns everything.
package cluster
