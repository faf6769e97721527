package jsonvalue

import (
	"bytes"
	"encoding/binary"
	"math"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
	"google.golang.org/protobuf/encoding/protowire"
)

// Data reads a JSON value into an encoded google.protobuf.Value with spellings, if schedulers
// accept its size with them. Otherwise [Parser.Loss] says what is lost.
func (p *Parser) Data() (value []byte, ok bool) {
	before := int(p.dec.InputOffset())
	p.spelled = true
	value, ok = p.value(make([]byte, 0, len(p.text)-before), 0)
	if ok && p.spellings > 0 && len(value) > maxSpelled {
		if p.respelled {
			p.loss = TooLargeToKeep
		}
		text := bytes.TrimLeft(p.text[before:p.dec.InputOffset()], ": \t\r\n")
		plain := NewAcceptedParser(text, p.reserve, p.reserved)
		defer plain.Free()
		value, ok = plain.value(value[:0], 0)
		p.err = plain.err
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
	switch p.dec.PeekKind() {
	case jsontext.KindNull:
		return append(b, nullTag, 0), p.token()
	case jsontext.KindTrue:
		return append(b, boolTag, 1), p.token()
	case jsontext.KindFalse:
		return append(b, boolTag, 0), p.token()
	case jsontext.KindString:
		s, written, ok := p.Text()
		b = protowire.AppendBytes(append(b, stringTag), s)
		return p.spell(b, spellingTag, written), ok
	case jsontext.KindBeginObject:
		return p.object(b, depth)
	case jsontext.KindBeginArray:
		return p.list(b, depth)
	case jsontext.KindNumber:
		s, ok := p.Value()
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
	default: // the text ends, or is not JSON
		return b, false
	}
}

func (p *Parser) object(b []byte, depth int) (_ []byte, ok bool) {
	fields := 0
	b = append(b, objectTag)
	start := len(b)
	var last []byte
	ok = p.Fields(func(key, written []byte) (ok bool) {
		if fields++; fields > maxFields && !p.accepted {
			return false
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
	b = append(b, listTag)
	start := len(b)
	if !p.token() {
		return b, false
	}
	for p.dec.PeekKind() != jsontext.KindEndArray {
		b = append(b, elementTag)
		element := len(b)
		if b, ok = p.value(b, depth+1); !ok {
			return b, false
		}
		b = prefixLength(b, element)
	}
	return prefixLength(b, start), p.token()
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
