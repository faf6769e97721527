package pebblestore

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strings"

	"github.com/cockroachdb/pebble/v2/record"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/atomicfs"
)

// checkManifest returns an error if the manifest of dir is missing, or does not match its checksum.
// It returns the number of the first log to replay.
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
				return 0, fmt.Errorf("the marker of the current manifest is missing: %w", errDamaged)
			}
		}
		return 0, nil
	}
	of, _, _ := strings.Cut(sealed, ".")
	if older(manifest, of) {
		return 0, fmt.Errorf("%s is older than the current manifest %s: %w", manifest, of, errDamaged)
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

// checkPrefix returns an error unless the manifest at path begins with the prefix in recorded, the
// value of the checksum marker.
func checkPrefix(fs vfs.FS, path, sealed, manifest string) error {
	var want prefixSum
	if _, err := fmt.Sscanf(strings.TrimPrefix(sealed, manifest), ".%d.%x", &want.length, &want.sum); err != nil {
		return fmt.Errorf("its checksum marker has the invalid value %q: %w", sealed, errDamaged)
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
		return fmt.Errorf("%s is damaged: %w", manifest, errDamaged)
	}
	return nil
}

// firstLog returns the number of the first log that is not obsolete according to a manifest.
func firstLog(manifest io.Reader) (number uint64) {
	const comparer, first = 1, 2 // the parts that a record of a manifest begins with, if it has them
	records := record.NewReader(manifest, 0)
	for {
		r, err := records.Next()
		if err != nil {
			return number // the end, which the seal has judged
		}
		b := bufio.NewReader(r)
		part, err := binary.ReadUvarint(b)
		if err == nil && part == comparer {
			var length uint64
			if length, err = binary.ReadUvarint(b); err == nil {
				_, _ = io.CopyN(io.Discard, b, int64(length))
				part, err = binary.ReadUvarint(b)
			}
		}
		if err != nil || part != first {
			continue
		}
		if n, err := binary.ReadUvarint(b); err == nil {
			number = n
		}
	}
}
