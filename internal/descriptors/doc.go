// Package descriptors finds the limit of open file descriptors of the process, and divides it among
// its parts: connections, files of the store, and listeners.
//
// The limit is the soft RLIMIT_NOFILE, which Go's package os raises to the hard limit at the start
// (getrlimit(2)). Each part of the process enforces its own share.
package descriptors
