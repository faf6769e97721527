package jsonvalue

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"

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
	type level struct {
		object, value bool // value: the next token is a value, not a key
		last          string
	}
	var within []level
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	for {
		token, err := dec.Token()
		if err != nil {
			return !errors.Is(err, io.EOF)
		}
		if n := len(within); n > 0 && within[n-1].object && token != json.Delim('}') {
			in := &within[n-1]
			if in.value = !in.value; in.value {
				key, _ := token.(string)
				if key < in.last {
					return true
				}
				in.last = key
				continue
			}
		}
		switch token := token.(type) {
		case json.Delim:
			if token == '{' || token == '[' {
				within = append(within, level{object: token == '{'})
			} else {
				within = within[:len(within)-1]
			}
		case json.Number:
			n, _ := token.Float64()
			if rendered, ok := appendNumber(nil, n); !ok || string(rendered) != token.String() {
				return true
			}
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
	p := Parser{left: written, accepted: true, spelled: true}
	again, ok := p.value(nil, 0)
	if !ok || len(p.left) > 0 || !bytes.Equal(again, encoded) {
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
	p := Parser{left: written, accepted: true}
	says, token, ok := p.Text()
	return written, rest[n:], ok && bytes.Equal(says, key) && bytes.Equal(token, written)
}
