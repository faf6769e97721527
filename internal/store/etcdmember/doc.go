// Package etcdmember runs a member of an etcd cluster within this process, so that a few nodes of Carillon can be a
// cluster without anything beside them.
//
// A member keeps its log and its data in a folder of its own, which one process has open at a time, by a lock. When the
// folder is deleted, moved or replaced, the member fails within a second, and acknowledges no write of its own process
// from then on. It is found by its
// peers and its clients at the addresses that its [Config] gives; clients in the same process use the same addresses.
//
// What it does when things fail. Without a majority of the members every call waits, and is refused in the end; that
// passes when the majority is back. When the log cannot be written (a full or broken disk), etcd ends the process; here
// the member ends instead, and [Member.Run] says why. Nothing that was acknowledged is lost by that, as the others have
// it, and the disk too.
package etcdmember
