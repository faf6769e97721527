// Package etcdmember runs a member of an etcd cluster in this process, so that a few nodes of
// Carillon form a cluster without other software.
//
// A member keeps its WAL and its database in a data directory, which one process has open at a
// time, by a lock. When the directory is deleted, moved or replaced, the member fails within a
// second, and acknowledges no write of this process from then on. Peers and clients connect to the
// addresses in [Config]; clients in this process use the same addresses, or [Member.KV].
//
// Without a majority of the members, calls wait and then fail, until the majority is back. If the
// WAL cannot be written (the disk is full or broken), etcd would end the process; here the member
// ends instead, and [Member.Run] returns the reason. Nothing acknowledged is lost: the other
// members have it, and the disk too.
package etcdmember
