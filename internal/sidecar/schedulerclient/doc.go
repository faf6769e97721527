// Package schedulerclient talks to schedulers: it keeps the list of them, connects to each, and
// makes calls.
//
// # What it promises
//
// A call goes to the schedulers in turn, and past one that is not connected. A call that a
// scheduler may have received is sent to no other. A call waits up to connectTimeout for a
// connection, and CallTimeout in all.
//
// The list is the one that any configured scheduler publishes, or the configured addresses if a
// scheduler publishes none. If it changes, connections to hosts that stay are untouched; a host
// that leaves finishes the calls that were sent to it.
//
// # Who owns what
//
// A [Client] has one connection per host for its calls, behind its mutex; [Client.Close] closes
// them all. [Client.WatchHosts] alone changes the list.
package schedulerclient
