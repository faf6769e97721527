package engine

import (
	"encoding/binary"
	"math"
	"time"

	"carillon/internal/when"
)

// Instants have two forms, in keys and in records. In the narrow one they are eight bytes of Unix nanoseconds, from 1677
// to 2262; all that was stored before there was the other has it. The wide one carries every instant that can be due:
// eight bytes of Unix seconds, and four of the nanoseconds within them. What fits into the narrow form is written so, and
// earlier versions can read it.

// nanos returns t in Unix nanoseconds; ok is false if they do not fit.
func nanos(t time.Time) (n int64, ok bool) {
	n = t.UnixNano() // wraps around
	return n, n != math.MinInt64 && time.Unix(0, n).Equal(t)
}

const (
	narrowBytes = 8
	wideBytes   = 12
)

// flip makes the order of signed numbers that of their bytes, and the other way round.
func flip(n int64) uint64 { return uint64(n) ^ 1<<63 }

// appendWide adds the wide form of t. The order of bytes is that of instants.
func appendWide(b []byte, t time.Time) []byte {
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint64(b, flip(t.Unix())), uint32(t.Nanosecond()))
}

// parseWide is the inverse of appendWide; b has wideBytes.
func parseWide(b []byte) (t time.Time, ok bool) {
	second, rest := int64(flip(int64(binary.BigEndian.Uint64(b)))), binary.BigEndian.Uint32(b[8:])
	t = time.Unix(second, int64(rest)).UTC()
	return t, rest < uint32(time.Second) && when.InRange(t)
}

// far says in a key that the instant is later than the narrow form can say. It stands behind the last narrow instant, in
// the place of a name's first byte, and names are UTF-8: none begins with it.
const far = 0xff

// appendInstant adds t to a key, so that the order of bytes is that of instants. What is earlier than the narrow form can
// say follows eight zero bytes, which is no narrow instant.
func appendInstant(b []byte, t time.Time) []byte {
	n, ok := nanos(t)
	switch {
	case ok:
		return binary.BigEndian.AppendUint64(b, flip(n))
	case t.Before(time.Unix(0, 0)):
		return appendWide(binary.BigEndian.AppendUint64(b, flip(math.MinInt64)), t)
	default:
		return appendWide(append(binary.BigEndian.AppendUint64(b, flip(math.MaxInt64)), far), t)
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
	case n == math.MaxInt64 && len(p.rest) > 0 && p.rest[0] == far:
		p.byte()
	default:
		return time.Unix(0, n).UTC()
	}
	if b = p.bytes(wideBytes); b == nil {
		return time.Time{}
	}
	t, ok := parseWide(b)
	if _, narrow := nanos(t); !ok || narrow || t.Before(time.Unix(0, 0)) != (n == math.MinInt64) {
		p.failed, p.rest = true, nil // it is not written so
		return time.Time{}
	}
	return t
}

// narrow reports whether a record can have t in the narrow form, which has the zero time, too.
func narrow(t time.Time) bool {
	_, ok := nanos(t)
	return ok || t.IsZero()
}

// instant adds t, in the wide form or in the narrow one.
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
