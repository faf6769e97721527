package pebblestore

import (
	"cmp"
	"strings"
)

// Kinds of marker files, whose value is in the file name. The manifest marker is Pebble's. The
// checksum marker is ours; files on disk call it "seal".
const (
	manifestMarker = "manifest"
	checksumMarker = "seal"
)

// markerValue returns the value of a marker file of this kind, such as marker.seal.000001.value.
func markerValue(file, kind string) (value string, ok bool) {
	rest, ok := strings.CutPrefix(file, "marker."+kind+".")
	if !ok {
		return "", false
	}
	_, value, ok = strings.Cut(rest, ".")
	return value, ok
}

// isRemovedByManifest reports whether Pebble removes or reuses files with such a name because of
// the manifest.
func isRemovedByManifest(name string) bool {
	return isLog(name) || strings.HasSuffix(name, ".sst") || strings.HasSuffix(name, ".blob") || isManifest(name)
}

// older reports whether manifest a was created before b.
func older(a, b string) bool { return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) < 0 }

// isManifest reports whether a file is a manifest.
func isManifest(name string) bool { return strings.HasPrefix(name, "MANIFEST-") }

// isLog reports whether a file is a log (WAL).
func isLog(name string) bool { return strings.HasSuffix(name, ".log") }

// isOptions reports whether a file is a temporary file of Pebble's options. Pebble writes it at the
// end of its Open, where an error must not occur; see disk.opening.
func isOptions(name string) bool { return strings.HasSuffix(name, ".dbtmp") }
