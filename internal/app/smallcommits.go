package app

import "carillon/internal/store"

// A smallCommits store says that its batches carry less than they do, and takes larger ones all the
// same. The engine fills half of a batch with commands, and has one that is larger in a batch of
// its own; so commits of an embedded etcd, which keeps its last transactions in memory, stay small,
// and jobs may be as large as ever.
type smallCommits struct {
	store.Store
	bytes int // of commands in a batch
}

// MaxBatch implements [store.Store].
func (s smallCommits) MaxBatch() (writes, bytes int) {
	writes, bytes = s.Store.MaxBatch()
	return writes, min(bytes, 2*s.bytes)
}
