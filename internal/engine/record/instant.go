package record

import (
	"encoding/binary"
	"math"
	"time"

	"carillon/internal/when"
)

// Instants have two forms, in keys and in records. The narrow form is eight bytes of Unix
// nanoseconds and reaches from 1677 to 2262. The wide form reaches every instant that can be due:
// eight bytes of Unix seconds, then four bytes of the nanoseconds within the second. The narrow
// form is older. An instant that fits into it is written in it, so that earlier releases can read
// it.

const (
	narrowBytes = 8
	wideBytes   = 12
)

// unixNano returns t in Unix nanoseconds; ok is false if they do not fit into 64 bits.
func unixNano(t time.Time) (n int64, ok bool) {
	n = t.UnixNano() // wraps around
	return n, n != math.MinInt64 && time.Unix(0, n).Equal(t)
}

// flip maps signed numbers to unsigned ones of the same order. It is its own inverse.
func flip(n int64) uint64 { return uint64(n) ^ 1<<63 }

// appendWide appends the wide form of t. Its byte order is the order of instants.
func appendWide(b []byte, t time.Time) []byte {
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint64(b, flip(t.Unix())), uint32(t.Nanosecond()))
}

// parseWide is the inverse of appendWide; b has wideBytes.
func parseWide(b []byte) (t time.Time, ok bool) {
	second, rest := int64(flip(int64(binary.BigEndian.Uint64(b)))), binary.BigEndian.Uint32(b[8:])
	t = time.Unix(second, int64(rest)).UTC()
	return t, rest < uint32(time.Second) && when.InRange(t)
}

// wideMark follows the largest narrow instant in a key and marks a wide instant later than that. A
// name could stand at its place, but names are UTF-8, and no UTF-8 text begins with this byte.
const wideMark = 0xff

// appendInstant appends t to a key, so that byte order is the order of instants. A wide instant
// that is earlier than all narrow ones follows eight zero bytes, which are no narrow instant.
func appendInstant(b []byte, t time.Time) []byte {
	n, ok := unixNano(t)
	switch {
	case ok:
		return binary.BigEndian.AppendUint64(b, flip(n))
	case t.Before(time.Unix(0, 0)):
		return appendWide(binary.BigEndian.AppendUint64(b, flip(math.MinInt64)), t)
	default:
		return appendWide(append(binary.BigEndian.AppendUint64(b, flip(math.MaxInt64)), wideMark), t)
	}
}

// instant is the inverse of appendInstant.
func (p *keyParser) instant() time.Time {
	b := p.bytes(narrowBytes)
	if b == nil {
		return time.Time{}
	}
	n := int64(flip(int64(binary.BigEndian.Uint64(b))))
	switch {
	case n == math.MinInt64:
	case n == math.MaxInt64 && len(p.rest) > 0 && p.rest[0] == wideMark:
		p.byte()
	default:
		return time.Unix(0, n).UTC()
	}
	if b = p.bytes(wideBytes); b == nil {
		return time.Time{}
	}
	t, ok := parseWide(b)
	if _, narrow := unixNano(t); !ok || narrow || t.Before(time.Unix(0, 0)) != (n == math.MinInt64) {
		p.fail() // appendInstant does not write it in this form
		return time.Time{}
	}
	return t
}

// fitsNarrow reports whether a record can hold t in the narrow form, which has a value for the zero
// time.
func fitsNarrow(t time.Time) bool {
	_, ok := unixNano(t)
	return ok || t.IsZero()
}

// instant appends t in the wide or the narrow form.
func (e *encoder) instant(t time.Time, wide bool) {
	if wide {
		*e = appendWide(*e, t)
		return
	}
	at := int64(math.MinInt64)
	if !t.IsZero() {
		at = t.UnixNano()
	}
	*e = binary.BigEndian.AppendUint64(*e, uint64(at))
}

// instant is the inverse of the encoder's.
func (d *decoder) instant(wide bool) time.Time {
	if wide {
		b := d.bytes(wideBytes)
		if b == nil {
			return time.Time{}
		}
		t, ok := parseWide(b)
		d.failed = d.failed || !ok
		return t
	}
	b := d.bytes(narrowBytes)
	if b == nil {
		return time.Time{}
	}
	at := int64(binary.BigEndian.Uint64(b))
	if at == math.MinInt64 {
		return time.Time{}
	}
	return time.Unix(0, at).UTC()
}
