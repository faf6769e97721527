// Package wire translates between Dapr's messages and our types, errors included. Nothing else
// does.
//
// It promises that nothing is lost: an absent optional field stays absent, a payload keeps its
// bytes and its type URL, and users get their own text back. Fuzz tests hold that translating there
// and back yields the same value. Invalid input becomes an error with a text for its sender, never
// a panic.
//
// It decides nothing: it reads no clock, keeps no state, and makes no calls. A returned value may
// share memory with the message that it came from, so that neither may be modified afterwards.
// [Status] maps our errors to those of the Scheduler service; its callers log the errors whose
// details it omits.
package wire
