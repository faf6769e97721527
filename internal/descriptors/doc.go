// Package descriptors finds out how many file descriptors the process may have open, and divides
// them among what uses them: connections, files of the store, and listeners.
//
// The limit is the soft RLIMIT_NOFILE, which Go's package os has raised to the hard one when the
// process starts (getrlimit(2)). A share is enforced by the part of the process that it is for.
package descriptors
