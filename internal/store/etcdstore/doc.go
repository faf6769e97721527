// Package etcdstore is the store of a cluster: a [store.Store] on an etcd that the nodes share.
//
// What it promises:
//
//   - When Commit returns nil, a majority of the etcd members has the batch on disk. A batch is
//     one transaction, which compares the batch's fences: a former owner is refused with
//     [store.ErrFenced], however late its batch arrives. One batch carries what one transaction
//     of etcd can.
//   - A Get reads one revision, in as many transactions as its keys need. A Scan reads page by
//     page.
//   - Every call ends: with an error after [Config].Timeout if etcd does not respond. The fate
//     of a commit is then unknown.
//   - Memory is bounded by what concurrent callers request, and one page for each scan.
//
// The records are under a prefix, with claims and members beside them; the decision about the
// layout in etcd has the details.
//
// Against a full database, [Store.Run] compacts etcd's history every few minutes and watches the
// size of each member. [Store.Full] reports a database that is nearly full: new jobs are then
// refused, while outcomes and deletions are not. When a database is large and mostly free, Run
// defragments the members one by one, the leader last. When there is space again, it disarms etcd's
// alarm, which otherwise refuses every write. One node at a time does this: it holds a lock in
// etcd.
package etcdstore
