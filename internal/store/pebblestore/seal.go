package pebblestore

import (
	"cmp"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"strings"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/atomicfs"
)

// The names of markers: files whose names are what they say. That of the manifest and that of the format are Pebble's.
const (
	manifestMarker = "manifest"
	checksumMarker = "seal"
)

// A seal is a marker that says how long a manifest was, and its checksum, when something was last removed because of
// it.
//
// Pebble reads a manifest up to the first record that is damaged and takes that for its end, as the last record may be
// torn by a power cut. But the tables that the rest would have named are then removed as if nobody wanted them, and the
// logs that they came from are gone. What is under the seal must be whole; what comes after it may be torn, because
// all that it made superfluous is still there. A seal is safe for concurrent use.
type manifestChecksum struct {
	markerMu sync.Mutex // held while the marker moves
	// marker is nil until the folder is ours.
	marker *atomicfs.Marker // guarded by moving
	// sealed is what marker says, if this process has moved it.
	recorded string // guarded by moving

	mu sync.Mutex // may be taken while moving is held
	// named is the manifest that a marker of this process names, and current the one of which a power cut would not
	// take that back.
	named, current string // guarded by mu
	// ends are how far each manifest of this process has been synced; there are two at most.
	prefixes map[string]prefixSum // guarded by mu
}

// An end is how far a manifest goes.
type prefixSum struct {
	length int64
	sum    uint32
}

func (e *prefixSum) add(p []byte) {
	e.length += int64(len(p))
	e.sum = crc32.Update(e.sum, crc32.IEEETable, p)
}

// begin gives the seal its marker, which the seal closes.
func (s *manifestChecksum) setMarker(m *atomicfs.Marker) {
	s.markerMu.Lock()
	defer s.markerMu.Unlock()
	s.marker = m
}

// synced notes that a manifest has been synced up to e.
func (s *manifestChecksum) manifestSynced(manifest string, e prefixSum) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.prefixes[manifest] = e
}

// made notes that a file was made. It may be the marker that names a new manifest.
func (s *manifestChecksum) fileCreated(file string) {
	if manifest, ok := markerValue(file, manifestMarker); ok {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.named = manifest
	}
}

// before returns which manifest is named, for after.
func (s *manifestChecksum) namedManifest() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.named
}

// after notes that the folder was synced since before returned named.
func (s *manifestChecksum) dirSynced(named string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if named != s.current {
		s.current = named
		maps.DeleteFunc(s.prefixes, func(manifest string, _ prefixSum) bool { return older(manifest, named) })
	}
}

// press makes the seal hold all that the manifest says. It comes before the removal of what a manifest makes
// superfluous. After an error the seal is out of date, and holds less than it could.
func (s *manifestChecksum) update() error {
	s.markerMu.Lock()
	defer s.markerMu.Unlock()
	value := s.value()
	if s.marker == nil || value == "" || value == s.recorded {
		return nil
	}
	if err := s.marker.Move(value); err != nil {
		return fmt.Errorf("seal the manifest: %w", err)
	}
	s.recorded = value
	return nil
}

// value is what the marker should say, or "" if this process has made no manifest.
func (s *manifestChecksum) value() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current == "" {
		return ""
	}
	e := s.prefixes[s.current]
	return fmt.Sprintf("%s.%d.%08x", s.current, e.length, e.sum)
}

// close lets the folder go.
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

// markerValue returns what the marker of that kind says whose file has this name, such as marker.seal.000001.value.
func markerValue(file, kind string) (value string, ok bool) {
	rest, ok := strings.CutPrefix(file, "marker."+kind+".")
	if !ok {
		return "", false
	}
	_, value, ok = strings.Cut(rest, ".")
	return value, ok
}

// superfluous reports whether Pebble removes a file of this name, or uses it anew, because of what its manifest says.
func isRemovedByManifest(name string) bool {
	return isLog(name) || strings.HasSuffix(name, ".sst") || strings.HasSuffix(name, ".blob") || isManifest(name)
}

// older reports whether manifest a was made before b.
func older(a, b string) bool { return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) < 0 }

func isManifest(name string) bool { return strings.HasPrefix(name, "MANIFEST-") }

// A manifestFile is one that is being written. Its end belongs to its one writer.
type manifestFile struct {
	*criticalFile
	name   string
	prefix prefixSum
}

// Write is [vfs.File.Write].
func (f *manifestFile) Write(p []byte) (int, error) {
	f.prefix.add(p) // before it is written: what is below may change p
	return f.criticalFile.Write(p)
}

// Sync is [vfs.File.Sync].
func (f *manifestFile) Sync() error {
	_ = f.criticalFile.Sync() // an error fails the disk
	if f.disk.failure() == nil {
		f.disk.checksum.manifestSynced(f.name, f.prefix)
	}
	return nil
}

// SyncData is [vfs.File.SyncData].
func (f *manifestFile) SyncData() error { return f.Sync() }

// errDamaged is about a folder that does not hold what was written to it.
var errDamaged = errors.New("the disk has damaged it; restore it from a backup")

// checkManifest returns an error if what dir holds needs a manifest that is not there, or not as it was sealed. It
// returns the number of the first log that is to be replayed.
func checkManifest(fs vfs.FS, dir string) (first uint64, err error) {
	names, err := fs.List(dir)
	if err != nil {
		return 0, err
	}
	manifest, err := atomicfs.ReadMarker(fs, dir, manifestMarker)
	if err != nil {
		return 0, err
	}
	sealed, err := atomicfs.ReadMarker(fs, dir, checksumMarker)
	if err != nil {
		return 0, err
	}
	if manifest == "" {
		for _, name := range names {
			if _, ok := markerValue(name, formatMarker); ok || sealed != "" || strings.HasSuffix(name, ".sst") {
				return 0, fmt.Errorf("nothing says which manifest is the present one: %w", errDamaged)
			}
		}
		return 0, nil
	}
	of, _, _ := strings.Cut(sealed, ".")
	if older(manifest, of) {
		return 0, fmt.Errorf("%s is older than %s, which was the present one: %w", manifest, of, errDamaged)
	}
	path := fs.PathJoin(dir, manifest)
	if of == manifest { // else nothing has been removed because of this one, or it is older than seals are
		if err := checkPrefix(fs, path, sealed, manifest); err != nil {
			return 0, err
		}
	}
	f, err := fs.Open(path)
	if err != nil {
		return 0, fmt.Errorf("open the manifest: %w: %w", err, errDamaged)
	}
	defer f.Close()
	return firstLog(f), nil
}

// checkSeal returns an error unless the manifest at path begins with what sealed says.
func checkPrefix(fs vfs.FS, path, sealed, manifest string) error {
	var want prefixSum
	if _, err := fmt.Sscanf(strings.TrimPrefix(sealed, manifest), ".%d.%x", &want.length, &want.sum); err != nil {
		return fmt.Errorf("its seal reads %q, which no store writes: %w", sealed, errDamaged)
	}
	f, err := fs.Open(path)
	if err != nil {
		return fmt.Errorf("open the manifest: %w: %w", err, errDamaged)
	}
	defer f.Close()
	sum := crc32.NewIEEE()
	n, err := io.CopyN(sum, f, want.length)
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read the manifest: %w", err)
	}
	if n != want.length || sum.Sum32() != want.sum {
		return fmt.Errorf("%s is not what was written: %w", manifest, errDamaged)
	}
	return nil
}
