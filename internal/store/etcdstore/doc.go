// Package etcdstore is the store of a cluster: it keeps the contract of [store.Store] on an etcd that its nodes share.
//
// What it promises:
//
//   - When Commit returns nil, a majority of etcd's members has the batch on disk. A batch is one transaction, which
//     compares the claims that are the batch's fences: a writer that has lost its claim is refused with [store.ErrFenced],
//     however late its batch comes. One batch carries what one transaction of etcd can.
//   - A Get sees one moment, in as many transactions as its keys need. A Scan sees the store page by page.
//   - Every call ends: with an error after [Config].Timeout if etcd gives no answer. A commit's fate is not known then.
//   - Memory is bounded by what callers ask for at once, and by one page for each scan.
//
// The records stand under a prefix, claims and members beside them; see the decision about the layout in etcd.
//
// What it does when there is no more room. etcd keeps its past until it is compacted, gives a file's space back only when
// it is defragmented, and once its quota is exceeded refuses every write until somebody lifts the alarm. So [Store.Run]
// compacts every few minutes, watches the members' sizes, and reports [Store.Full] while there is still room for what
// must go on: new jobs are refused, outcomes and deletions are not. When a file is large and mostly empty, it defragments
// the members one after another, the leader last. When there is room again, it lifts the alarm. Nodes take turns at this:
// one at a time holds the key for it.
package etcdstore
