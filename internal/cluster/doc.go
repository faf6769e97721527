// Package cluster decides which node owns which partition.
//
// Nodes agree through a [Coordinator]. A node that joins has a [Session] while it keeps its lease
// alive. In a session it sees the members and the assignment of partitions to them, and claims its
// own partitions. A claim is a proof of ownership: a [store.Fence] that the store compares in each
// batch. [Run] does all that for a node, and runs the partitions that are assigned to it.
//
// What it promises:
//
//   - A partition has one owner. The next owner waits until the present one has released the
//     partition, or has lost its lease.
//   - A node that joins or leaves moves as few partitions as possible, and the others are
//     unaffected. No node has more than one partition more than another.
//   - A node whose lease may have expired owns nothing: [Session.Alive] says so by the node's own
//     clock, measured from before the lease was requested. Its fences refuse what it still writes.
//   - Without a majority, nodes lose their sessions and stop. They rejoin when it is back.
//
// The clock is the machine's monotonic one. A machine that was suspended may resume with a clock
// that stood still: it may then fire an occurrence that another node fires too, but it can write
// nothing.
//
// [Etcd] is the coordinator of real clusters. A single node needs none: its engine owns all
// partitions.
package cluster
