package jsonvalue

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"
	"strconv"

	"google.golang.org/protobuf/encoding/protowire"
)

// Data reads a JSON value into an encoded google.protobuf.Value with spellings, if schedulers
// accept its size with them. Otherwise [Parser.Loss] says what is lost.
func (p *Parser) Data() (value []byte, ok bool) {
	text := p.left
	p.spelled = true
	value, ok = p.value(make([]byte, 0, len(text)), 0)
	if ok && p.spellings > 0 && len(value) > maxSpelled {
		if p.respelled {
			p.loss = TooLargeToKeep
		}
		p.left, p.spelled, p.spellings = text, false, 0
		value, ok = p.value(value[:0], 0)
	}
	if p.unsorted {
		value = append(value, orderNote...)
	}
	return value, ok
}

// spell appends the spelling of a value or a key, if it is rendered differently than it was
// written.
func (p *Parser) spell(b []byte, tag string, written []byte) []byte {
	if !p.spelled || written == nil {
		return b
	}
	size := len(b)
	b = protowire.AppendBytes(append(b, tag...), written)
	p.spellings += len(b) - size
	return b
}

// grow reports whether data may have that size, and reserves memory. The data is copied when it
// exceeds its capacity, to a slice of twice the size.
func (p *Parser) grow(size int) bool {
	switch {
	case size-p.spellings > maxData:
		p.err = ErrTooLarge
	case size > p.reserved && !p.reserve.Take(2*p.reserved+size):
		p.err = ErrNoMemory
	case size > p.reserved:
		p.reserved = 2 * size
	}
	return p.err == nil
}

// value reads a value, and appends it to b as an encoded google.protobuf.Value.
func (p *Parser) value(b []byte, depth int) (_ []byte, ok bool) {
	if depth == maxDepth || !p.grow(len(b)) {
		return b, false
	}
	switch c := p.Next(); c {
	case 'n':
		return append(b, nullTag, 0), p.Word("null")
	case 't':
		return append(b, boolTag, 1), p.Word("true")
	case 'f':
		return append(b, boolTag, 0), p.Word("false")
	case '"':
		s, written, ok := p.Text()
		b = protowire.AppendBytes(append(b, stringTag), s)
		return p.spell(b, spellingTag, written), ok
	case '{':
		return p.object(b, depth)
	case '[':
		return p.list(b, depth)
	default:
		s, ok := p.Number()
		if !ok {
			return b, false
		}
		n, err := strconv.ParseFloat(string(s), 64)
		b = binary.LittleEndian.AppendUint64(append(b, numberTag), math.Float64bits(n))
		var rendered [32]byte
		if r, ok := appendNumber(rendered[:0], n); !ok || !bytes.Equal(r, s) {
			p.respelled = true
			b = p.spell(b, spellingTag, s)
		}
		return b, err == nil
	}
}

func (p *Parser) object(b []byte, depth int) (_ []byte, ok bool) {
	var keys [maxFields][]byte
	n := 0
	b = append(b, objectTag)
	start := len(b)
	var last []byte
	ok = p.Fields(func(key, written []byte) (ok bool) {
		if !p.accepted {
			if n == len(keys) || slices.ContainsFunc(keys[:n], func(k []byte) bool { return bytes.Equal(k, key) }) {
				return false
			}
			keys[n] = key
			n++
		}
		p.unsorted = p.unsorted || bytes.Compare(key, last) < 0
		last = key
		b = append(b, elementTag)
		entry := len(b)
		b = protowire.AppendBytes(append(b, elementTag), key)
		b = append(b, entryTag)
		value := len(b)
		b = p.spell(b, keyTag, written)
		if b, ok = p.value(b, depth+1); ok {
			b = prefixLength(prefixLength(b, value), entry)
		}
		return ok
	})
	return prefixLength(b, start), ok
}

func (p *Parser) list(b []byte, depth int) (_ []byte, ok bool) {
	p.skip('[')
	b = append(b, listTag)
	start := len(b)
	if p.Next() == ']' {
		return prefixLength(b, start), p.skip(']')
	}
	for {
		b = append(b, elementTag)
		element := len(b)
		if b, ok = p.value(b, depth+1); !ok {
			return b, false
		}
		b = prefixLength(b, element)
		if p.Next() != ',' {
			return prefixLength(b, start), p.skip(']')
		}
		p.skip(',')
	}
}

// prefixLength inserts the length of b[start:] before it.
func prefixLength(b []byte, start int) []byte {
	n := uint64(len(b) - start)
	size := protowire.SizeVarint(n)
	b = append(b, make([]byte, size)...)
	copy(b[start+size:], b[start:])
	protowire.AppendVarint(b[:start], n)
	return b
}
