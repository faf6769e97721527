package jsonvalue

import (
	"bytes"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
	"google.golang.org/protobuf/encoding/protowire"
)

// A google.protobuf.Value has a float64 for every number, a text without escapes for every string,
// and no order of the keys of an object. Unknown fields of the message hold what it loses of its
// JSON. Readers skip unknown fields, so that Dapr's programs read the same value. Schedulers store
// data byte for byte.
//
// A number or a string that would be rendered differently than it was written is followed by its
// spelling: its source text. The spelling of a key precedes the value of the entry, because the
// google-protobuf of JavaScript accepts only a key and a value there. If keys are not sorted, the
// order note follows the outermost value: entries are in source order. A spelling is valid only if
// it parses to exactly the value that it belongs to, because a program may have changed that value
// and kept unknown fields.
const (
	spellingTag = "\x82\x7d"     // of field 2000, bytes
	orderNote   = "\x88\x7d\x01" // field 2001, true
	keyTag      = "\x92\x7d"     // of field 2002, bytes
)

// maxSpelled is how many bytes data may have with its spellings; larger data gets none. A scheduler
// of Dapr accepts 2 MiB for a whole job, and spellings must not make a job too large for it.
const maxSpelled = 2<<20 - 16<<10

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
