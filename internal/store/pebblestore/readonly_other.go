//go:build !linux

package pebblestore

import "github.com/cockroachdb/pebble/v2/vfs"

// writable returns an error if the file system of the file has stopped writing, even after a
// successful sync.
//
// When ext4 meets an error, it aborts its journal and everything that waits for it: a later sync
// finds nothing to wait for, and succeeds. The file system becomes read-only only some milliseconds
// later, after recording the error on disk; until then nothing else fails. Changing a file's owner
// to the same owner uses the journal: the first change waits until the file system is read-only,
// and the second one fails.
func writable(vfs.File) error { return nil }
