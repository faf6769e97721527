//go:build !cgo

package memory

// storeInHeap reports whether the store's cache and memtables are in Go's heap: Pebble has no other
// then.
const storeInHeap = true
