package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"google.golang.org/protobuf/encoding/protowire"
)

// A google.protobuf.Value has a float64 for every number, a text without escapes for every string, and no order of the
// keys of an object. What it lacks of the JSON that it was made from is noted in fields that the message does not have,
// which readers skip that do not know them: Dapr's programs read the value that they would read without. Schedulers keep
// data byte for byte.
//
// A number or a string that would be rendered otherwise than it was written is followed by a spelling: the text of it. That
// of a key precedes the kind of the entry's value, as JavaScript's google-protobuf reads no entry that has more than a key
// and a value. The outermost value, if keys in it are not in order, is followed by the order note: entries are in the order
// in which they were written. A spelling is believed only if it makes exactly the value that it is with, as a program may
// have changed that and kept what it did not know.
const (
	spellingTag = "\x82\x7d"     // of field 2000, bytes
	orderNote   = "\x88\x7d\x01" // field 2001, true
	keyTag      = "\x92\x7d"     // of field 2002, bytes
)

// maxNoted is how many bytes data may have with its spellings. Of larger data none is noted: a scheduler of Dapr's takes
// 2 MiB with all that belongs to a job, and spellings must not make a job too large that it would take.
const maxNoted = 2<<20 - 16<<10

// A Loss says why data does not come back as it was given. Zero: it does.
type Loss uint8

const (
	// TooLargeToKeep is that of data that is so large that there was no room for how its numbers are written.
	TooLargeToKeep Loss = 1
	// TooDeepToKeep is that of data in which too many values are within each other.
	TooDeepToKeep Loss = 2
)

// String says it to the author of the data; empty if there is no loss.
func (l Loss) String() string {
	const as = "its numbers are kept as 64-bit floating point, as in Dapr: integers beyond 2^53 change, and 1.0 becomes 1"
	const instead = "; write such numbers as strings, or "
	switch l {
	case TooLargeToKeep:
		return fmt.Sprintf("data would take more than %d bytes with numbers as they are written: %s%ssend less", maxNoted, as, instead)
	case TooDeepToKeep:
		return fmt.Sprintf("data has more than %d values within each other: %s, and the order of keys is lost%snest less",
			maxPlainDepth, as, instead)
	default:
		return ""
	}
}

// losesSpelling reports whether a number in text is rendered otherwise than it is written there, or the keys of an object
// are not in order, if the text is not noted. It is for JSON of any depth, which proto-JSON has accepted.
func losesSpelling(text []byte) bool {
	type level struct {
		object, value bool // value: one is next, and not a key
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
			if rendered, ok := appendPlainNumber(nil, n); !ok || string(rendered) != token.String() {
				return true
			}
		}
	}
}

// appendSpelling appends how an encoded value was written that ends with notes, and reports whether they are a spelling of
// it.
func appendSpelling(b, encoded, notes []byte) (_ []byte, ok bool) {
	rest, ok := bytes.CutPrefix(notes, []byte(spellingTag))
	written, n := protowire.ConsumeBytes(rest)
	if !ok || n != len(rest) {
		return b, false
	}
	p := plainJSON{left: written, judged: true, noted: true}
	again, ok := p.value(nil, 0)
	if !ok || len(p.left) > 0 || !bytes.Equal(again, encoded) {
		return b, false
	}
	return append(b, written...), true
}

// cutKey cuts the note off the value of an object's entry that says how the entry's key was written, and returns it and the
// rest; ok is false if the note does not spell that key.
func cutKey(key, value []byte) (written, rest []byte, ok bool) {
	rest, noted := bytes.CutPrefix(value, []byte(keyTag))
	if !noted {
		return nil, value, true
	}
	written, n := protowire.ConsumeBytes(rest)
	if n < 0 {
		return nil, nil, false
	}
	p := plainJSON{left: written, judged: true}
	says, token, ok := p.text()
	return written, rest[n:], ok && bytes.Equal(says, key) && bytes.Equal(token, written)
}
