package pebblestore

import (
	"fmt"
	"hash/crc32"
	"maps"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs/atomicfs"
)

// manifestChecksum is a marker file with the length and the checksum of a manifest prefix: what the
// manifest contained when a file was last removed because of it.
//
// Pebble reads a manifest up to the first damaged record and takes that for its end, because a
// power cut may tear the last record. But then it removes the tables in the rest as obsolete, while
// the logs with the same data are gone. The prefix under the checksum must be undamaged. Records
// after it may be torn: everything that they made obsolete still exists. It is safe for concurrent
// use.
type manifestChecksum struct {
	markerMu sync.Mutex // held while the marker changes
	// marker is nil until the directory is locked.
	marker *atomicfs.Marker // guarded by moving
	// recorded is the value of marker, if this process has set it.
	recorded string // guarded by moving

	mu sync.Mutex // may be locked while markerMu is held
	// named is the manifest in a marker file that this process has written. current is the one
	// whose marker file survives a power cut.
	named, current string // guarded by mu
	// prefixes are how far the manifests of this process are synced; there are two at most.
	prefixes map[string]prefixSum // guarded by mu
}

// prefixSum is the length and the checksum of the beginning of a manifest.
type prefixSum struct {
	length int64
	sum    uint32
}

// add extends the prefix by p.
func (e *prefixSum) add(p []byte) {
	e.length += int64(len(p))
	e.sum = crc32.Update(e.sum, crc32.IEEETable, p)
}

// setMarker sets the marker, which close closes.
func (s *manifestChecksum) setMarker(m *atomicfs.Marker) {
	s.markerMu.Lock()
	defer s.markerMu.Unlock()
	s.marker = m
}

// manifestSynced records that a manifest is synced up to e.
func (s *manifestChecksum) manifestSynced(manifest string, e prefixSum) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.prefixes[manifest] = e
}

// fileCreated records a new file, which may be the marker of a new manifest.
func (s *manifestChecksum) fileCreated(file string) {
	if manifest, ok := markerValue(file, manifestMarker); ok {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.named = manifest
	}
}

// namedManifest returns the named manifest, for dirSynced.
func (s *manifestChecksum) namedManifest() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.named
}

// dirSynced records that the directory was synced after namedManifest returned named.
func (s *manifestChecksum) dirSynced(named string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if named != s.current {
		s.current = named
		maps.DeleteFunc(s.prefixes, func(manifest string, _ prefixSum) bool { return older(manifest, named) })
	}
}

// update makes the checksum cover the whole manifest. It is called before a file is removed because
// of the manifest. After an error the checksum is out of date and covers less.
func (s *manifestChecksum) update() error {
	s.markerMu.Lock()
	defer s.markerMu.Unlock()
	value := s.value()
	if s.marker == nil || value == "" || value == s.recorded {
		return nil
	}
	if err := s.marker.Move(value); err != nil {
		return fmt.Errorf("update the manifest checksum: %w", err)
	}
	s.recorded = value
	return nil
}

// value returns the value for the marker, or "" if this process has written no manifest.
func (s *manifestChecksum) value() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current == "" {
		return ""
	}
	e := s.prefixes[s.current]
	return fmt.Sprintf("%s.%d.%08x", s.current, e.length, e.sum)
}

// close closes the marker.
func (s *manifestChecksum) close() error {
	s.markerMu.Lock()
	defer s.markerMu.Unlock()
	if s.marker == nil {
		return nil
	}
	err := s.marker.Close()
	s.marker = nil
	return err
}
