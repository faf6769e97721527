// Package storemeta checks whether an engine can use a store, by what the store says about itself:
// its format, and which encryption keys may have sealed its jobs.
//
// A store remembers a key before the first job is sealed with it, and forgets it only when no job
// needs it. So an engine without all keys detects that before it reads a job, and does not take a
// sealed job for a damaged one.
package storemeta
