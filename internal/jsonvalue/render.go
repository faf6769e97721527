package jsonvalue

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
)

// Append appends the JSON of an encoded google.protobuf.Value, and reports whether the value is
// simple. The JSON is that of proto-JSON, without spaces and with the spellings of the value.
func Append(b, encoded []byte) (_ []byte, ok bool) { return appendValue(b, encoded, 0, false) }

// appendValue appends the JSON of a value at this depth. It sorts the keys of objects, unless
// ordered is set.
func appendValue(b, encoded []byte, depth int, ordered bool) (_ []byte, ok bool) {
	if depth == maxDepth || len(encoded) == 0 {
		return b, false
	}
	tag, rest := encoded[0], encoded[1:]
	switch tag {
	case nullTag:
		return append(b, "null"...), string(rest) == "\x00"
	case boolTag:
		switch string(rest) {
		case "\x00":
			return append(b, "false"...), true
		case "\x01":
			return append(b, "true"...), true
		}
		return b, false
	case numberTag:
		if len(rest) < 8 {
			return b, false
		}
		if notes := rest[8:]; len(notes) > 0 {
			return appendSpelling(b, encoded, notes)
		}
		return appendNumber(b, math.Float64frombits(binary.LittleEndian.Uint64(rest)))
	}
	rest, n := protowire.ConsumeBytes(rest)
	if n < 0 {
		return b, false
	}
	notes := encoded[1+n:]
	switch {
	case len(notes) == 0:
	case tag == stringTag:
		return appendSpelling(b, encoded, notes)
	case depth == 0 && string(notes) == orderNote:
		ordered = true
	default:
		return b, false
	}
	switch tag {
	case stringTag:
		return appendText(b, rest)
	case objectTag:
		return appendObject(b, rest, depth, ordered)
	case listTag:
		b = append(b, '[')
		for i := 0; len(rest) > 0; i++ {
			element, n := protowire.ConsumeBytes(rest[1:])
			if rest[0] != elementTag || n < 0 {
				return b, false
			}
			if i > 0 {
				b = append(b, ',')
			}
			if b, ok = appendValue(b, element, depth+1, ordered); !ok {
				return b, false
			}
			rest = rest[1+n:]
		}
		return append(b, ']'), true
	default:
		return b, false
	}
}

func appendObject(b, rest []byte, depth int, ordered bool) (_ []byte, ok bool) {
	type field struct{ key, value []byte }
	var fields []field
	for len(rest) > 0 {
		entry, n := protowire.ConsumeBytes(rest[1:])
		if rest[0] != elementTag || n < 0 || len(entry) == 0 || entry[0] != elementTag {
			return b, false
		}
		rest = rest[1+n:]
		var f field
		if f.key, n = protowire.ConsumeBytes(entry[1:]); n < 0 || 1+n == len(entry) || entry[1+n] != entryTag {
			return b, false
		}
		entry = entry[2+n:]
		if f.value, n = protowire.ConsumeBytes(entry); n != len(entry) {
			return b, false
		}
		fields = append(fields, f)
	}
	if !ordered {
		slices.SortFunc(fields, func(x, y field) int { return bytes.Compare(x.key, y.key) })
	}
	b = append(b, '{')
	for i, f := range fields {
		if i > 0 {
			if bytes.Equal(fields[i-1].key, f.key) { // not simple: the last one counts
				return b, false
			}
			b = append(b, ',')
		}
		written, value, ok := cutKey(f.key, f.value)
		if !ok {
			return b, false
		}
		if written != nil {
			b = append(b, written...)
		} else if b, ok = appendText(b, f.key); !ok {
			return b, false
		}
		if b, ok = appendValue(append(b, ':'), value, depth+1, ordered); !ok {
			return b, false
		}
	}
	return append(b, '}'), true
}
