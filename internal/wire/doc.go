// Package wire is the only translation between Dapr's messages and ours, errors included.
//
// It promises that nothing is lost on the way: an optional field that was absent stays absent, a payload keeps its
// bytes and its type URL, and what a user asked for comes back in the user's own words. Translating there and back
// yields the same value; fuzz tests hold it to that. Rubbish becomes an error with a text for the person who sent it,
// never a panic.
//
// It decides nothing: it reads no clock, keeps no state, and calls nobody. A value that it returns may share memory
// with the message it came from, so neither is written to afterwards. [Status] is the one table from our errors to
// the Scheduler service's; whoever calls it logs the errors whose details it withholds.
package wire
