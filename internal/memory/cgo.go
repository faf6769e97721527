//go:build cgo

package memory

// storeInHeap reports whether the store's cache and memtables are in Go's heap.
const storeInHeap = false
