package jsonvalue

import (
	"bytes"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
	"google.golang.org/protobuf/encoding/protowire"
)

// LosesSpelling reports whether a value of text without spellings would be rendered differently: a
// number is spelled in another way, or keys are not sorted. The text is valid JSON of any depth.
func LosesSpelling(text []byte) bool {
	p := NewAcceptedParser(text, nil, 0)
	defer p.Free()
	var keys [][]byte // the last key of each open object, or nil for an array
	for {
		switch p.dec.PeekKind() {
		case jsontext.KindString:
			in, n := p.dec.StackIndex(p.dec.StackDepth())
			s, _, ok := p.Text()
			if !ok {
				return true
			}
			if in == jsontext.KindBeginObject && n%2 == 0 {
				if bytes.Compare(s, keys[len(keys)-1]) < 0 {
					return true
				}
				keys[len(keys)-1] = s
			}
			continue
		case jsontext.KindNumber:
			s, ok := p.Value()
			n, _ := strconv.ParseFloat(string(s), 64)
			if rendered, finite := appendNumber(nil, n); !ok || !finite || !bytes.Equal(rendered, s) {
				return true
			}
			continue
		case jsontext.KindBeginObject, jsontext.KindBeginArray:
			keys = append(keys, nil)
		case jsontext.KindEndObject, jsontext.KindEndArray:
			keys = keys[:len(keys)-1]
		case jsontext.KindInvalid:
			return !p.AtEnd()
		default:
		}
		if !p.token() {
			return true
		}
	}
}

// appendSpelling appends the spelling in notes, which end an encoded value, and reports whether it
// is valid for the value.
func appendSpelling(b, encoded, notes []byte) (_ []byte, ok bool) {
	rest, ok := bytes.CutPrefix(notes, []byte(spellingTag))
	written, n := protowire.ConsumeBytes(rest)
	if !ok || n != len(rest) {
		return b, false
	}
	p := NewAcceptedParser(written, nil, len(written))
	defer p.Free()
	p.spelled = true
	again, ok := p.value(nil, 0)
	if !ok || int(p.dec.InputOffset()) < len(written) || !bytes.Equal(again, encoded) {
		return b, false
	}
	return append(b, written...), true
}

// cutKey splits the value of an entry into the spelling of its key and the rest. ok is false if the
// spelling is not valid for the key.
func cutKey(key, value []byte) (written, rest []byte, ok bool) {
	rest, noted := bytes.CutPrefix(value, []byte(keyTag))
	if !noted {
		return nil, value, true
	}
	written, n := protowire.ConsumeBytes(rest)
	if n < 0 {
		return nil, nil, false
	}
	p := NewAcceptedParser(written, nil, 0)
	defer p.Free()
	says, token, ok := p.Text()
	return written, rest[n:], ok && bytes.Equal(says, key) && bytes.Equal(token, written)
}
