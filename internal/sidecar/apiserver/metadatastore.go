package apiserver

import (
	"maps"
	"sync"
)

// The limits of a metadataStore. Replacing an entry by one of the same size always succeeds.
const (
	maxEntries    = 1000
	maxEntryBytes = 1 << 20 // of all keys and values
)

// A metadataStore holds the entries that clients add to the metadata. It is safe for concurrent
// use.
type metadataStore struct {
	mu      sync.Mutex // guards the fields below
	entries map[string]string
	bytes   int // of keys and values
}

// set adds or replaces an entry. It returns false if that would exceed a limit.
func (m *metadataStore) set(key, value string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	entries, bytes := len(m.entries), m.bytes+len(value)
	if old, ok := m.entries[key]; ok {
		bytes -= len(old)
	} else {
		entries++
		bytes += len(key)
	}
	if entries > maxEntries || bytes > maxEntryBytes {
		return false
	}
	if m.entries == nil {
		m.entries = make(map[string]string)
	}
	m.entries[key], m.bytes = value, bytes
	return true
}

// all returns a copy of the entries.
func (m *metadataStore) all() map[string]string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.entries)
}
