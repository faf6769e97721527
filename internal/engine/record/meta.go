package record

import (
	"bytes"
	"encoding/binary"
	"time"

	"carillon/internal/store"
)

// FormatVersion is the version of the layout of a store.
const FormatVersion = 1

// FormatKey is where a store keeps its layout: see EncodeFormat.
func FormatKey() []byte { return []byte{tagMeta, 'f'} }

// EncodeFormat returns the layout of a store with so many partitions.
func EncodeFormat(partitions int) []byte {
	return binary.AppendUvarint([]byte{FormatVersion}, uint64(partitions))
}

// DecodeFormat is the inverse of EncodeFormat; ok is false if the layout has another version.
func DecodeFormat(b []byte) (partitions int, ok bool) {
	if len(b) == 0 || b[0] != FormatVersion {
		return 0, false
	}
	n, _ := binary.Uvarint(b[1:])
	return int(n), true
}

// EncryptionKey is where a store remembers that specs may be sealed with the encryption key id. The
// key for the id "" exists if any spec may be sealed. Its value is the id of the key with which all
// specs are sealed, if one key sealed them all.
func EncryptionKey(id string) []byte { return append([]byte{tagMeta, 'k'}, id...) }

// EncryptionCheckKey is where a store keeps a check value, which tells the encryption key id from
// another key of the same id.
func EncryptionCheckKey(id string) []byte { return append([]byte{tagMeta, 'h'}, id...) }

// NoteKey is where a store keeps a note about a key that is in quarantine.
func NoteKey(key []byte) []byte { return append([]byte{tagMeta, 'q'}, key...) }

// A Note describes a key of the store that is in quarantine.
type Note struct {
	Key       []byte
	Reason    string    // why the key cannot be used
	Bytes     int       // size of its value
	FirstSeen time.Time // zero if no node has found it yet
}

const noteVersion = 1

// EncodeNote returns the record of n, which is stored under the NoteKey of n.Key.
func EncodeNote(n Note) []byte {
	e := encoder{noteVersion}
	e.instant(n.FirstSeen, false)
	e.uint(uint64(n.Bytes))
	e.string(n.Reason)
	return e
}

// DecodeNote is the inverse of EncodeNote. Of an unreadable note it returns the key.
func DecodeNote(p store.Pair) Note {
	n := Note{Key: bytes.Clone(p.Key[len(NoteKey(nil)):]), Reason: "its note cannot be read"}
	d := decoder{rest: p.Value}
	if d.byte() == noteVersion {
		n.FirstSeen, n.Bytes, n.Reason = d.instant(false), int(d.uint()), d.string()
	}
	return n
}
