package wire

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strconv"
	"unicode/utf8"

	runtimev1 "github.com/dapr/dapr/pkg/proto/runtime/v1"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/types/known/anypb"
)

// errNotPlain says that a body is not of an ordinary form.
var errNotPlain = errors.New("the body is not of an ordinary form")

// parsePlainBody is ParseAPIBody for a body of an ordinary form; the error is errNotPlain if it is of another. It expects
// that there is room for the body once more.
func parsePlainBody(body []byte, room Room) (r *runtimev1.ScheduleJobRequest, b Body, err error) {
	p := plainJSON{left: body, room: room, granted: len(body)}
	r = &runtimev1.ScheduleJobRequest{Job: &runtimev1.Job{}}
	j := r.GetJob()
	var seen [7]bool
	once := func(i int) bool {
		again := seen[i]
		seen[i] = true
		return !again
	}
	text := func(to **string) bool {
		s, _, ok := p.text()
		*to = new(string(s))
		return ok
	}
	field := func(key []byte) (ok bool) {
		switch string(key) {
		case "schedule":
			return once(0) && text(&j.Schedule)
		case "dueTime":
			return once(1) && text(&j.DueTime)
		case "ttl":
			return once(2) && text(&j.Ttl)
		case "repeats":
			s, ok := p.number()
			n, err := strconv.ParseUint(string(s), 10, 32)
			j.Repeats = new(uint32(n))
			return once(3) && ok && err == nil
		case "overwrite":
			r.Overwrite = p.next() == 't'
			return once(4) && p.word(strconv.FormatBool(r.GetOverwrite()))
		case "data":
			var value []byte
			value, ok = p.data()
			j.Data = &anypb.Any{TypeUrl: valueURL, Value: value}
			return once(5) && ok
		case "name": // of a job of a batch
			s, _, ok := p.text()
			j.Name = string(s)
			return once(6) && ok
		default:
			return false
		}
	}
	b.Form = FlatBody
	ok := p.fields(func(key, _ []byte) bool {
		if string(key) == "job" && seen == [7]bool{} {
			b.Form = WrappedBody
			return p.fields(func(key, _ []byte) bool { return field(key) })
		}
		return b.Form == FlatBody && field(key)
	})
	p.next()
	some := r.GetOverwrite() || j.Schedule != nil || j.DueTime != nil || j.Ttl != nil || j.Repeats != nil || j.Data != nil
	switch {
	case p.err != nil:
		return nil, Body{}, p.err
	case !ok || !some || len(p.left) > 0:
		return nil, Body{}, errNotPlain
	}
	b.Changed = p.changed
	return r, b, nil
}

// plainJSON reads JSON. Each of its methods reads one thing from the front and reports whether it is of an ordinary form;
// if not, there is no saying how much is left.
type plainJSON struct {
	left    []byte
	room    Room
	granted int   // bytes of data that there is room for
	err     error // why no more is to be read, other than that it is not of an ordinary form

	judged    bool // proto-JSON has accepted it: escapes are read, and what a large object costs is not avoided
	noted     bool // spellings are added to the data
	notes     int  // bytes of the data that are spellings
	respelled bool // a number is spelled otherwise than it is rendered
	unsorted  bool // an object's keys are not in order
	changed   Loss // of the data
}

// data reads the data of a job into an encoded google.protobuf.Value that remembers how it was written, if that still is
// a size that schedulers take.
func (p *plainJSON) data() (value []byte, ok bool) {
	text := p.left
	p.noted = true
	value, ok = p.value(make([]byte, 0, len(text)), 0)
	if ok && p.notes > 0 && len(value) > maxNoted {
		if p.respelled {
			p.changed = TooLargeToKeep
		}
		p.left, p.noted, p.notes = text, false, 0
		value, ok = p.value(value[:0], 0)
	}
	if p.unsorted {
		value = append(value, orderNote...)
	}
	return value, ok
}

// note adds how a value or the key of one was written, if it is rendered otherwise.
func (p *plainJSON) note(b []byte, tag string, written []byte) []byte {
	if !p.noted || written == nil {
		return b
	}
	size := len(b)
	b = protowire.AppendBytes(append(b, tag...), written)
	p.notes += len(b) - size
	return b
}

// grow reports whether data may have that size. It is copied when it has no place any more, and then into
// twice as much.
func (p *plainJSON) grow(size int) bool {
	switch {
	case size-p.notes > maxData:
		p.err = ErrDataTooLarge
	case size > p.granted && !p.room.has(2*p.granted+size):
		p.err = ErrNoRoom
	case size > p.granted:
		p.granted = 2 * size
	}
	return p.err == nil
}

// next skips white space and returns the next byte; 0 at the end.
func (p *plainJSON) next() (c byte) {
	p.left, c = skipSpace(p.left)
	return c
}

// skip reads one byte.
func (p *plainJSON) skip(c byte) bool {
	if p.next() != c {
		return false
	}
	p.left = p.left[1:]
	return true
}

// word reads a word such as true.
func (p *plainJSON) word(w string) bool {
	rest, ok := bytes.CutPrefix(p.left, []byte(w))
	p.left = rest
	return ok && p.delimited()
}

// delimited reports whether a word or number ends here.
func (p *plainJSON) delimited() bool {
	if len(p.left) == 0 {
		return true
	}
	switch p.left[0] {
	case ' ', '\n', '\t', '\r', ',', ']', '}':
		return true
	default:
		return false
	}
}

// text reads a string, without escapes unless the text is judged already. It returns what it says, and, where it is
// rendered otherwise, how it was written.
func (p *plainJSON) text() (s, written []byte, ok bool) {
	if p.next() != '"' {
		return nil, nil, false
	}
	escapes := false
	for i := 1; i < len(p.left); i++ {
		switch c := p.left[i]; {
		case c == '"':
			s, written = p.left[1:i], p.left[:i+1]
			p.left = p.left[i+1:]
			if escapes {
				return unescape(written)
			}
			return s, nil, utf8.Valid(s)
		case c == '\\' && p.judged:
			escapes = true
			i++
		case c == '\\' || c < ' ':
			return nil, nil, false
		}
	}
	return nil, nil, false
}

// unescape is text for a string with escapes.
func unescape(token []byte) (s, written []byte, ok bool) {
	var says string
	if !utf8.Valid(token) || json.Unmarshal(token, &says) != nil {
		return nil, nil, false
	}
	s = []byte(says)
	if rendered, ok := appendPlainText(nil, s); ok && bytes.Equal(rendered, token) {
		return s, nil, true
	}
	return s, token, true
}

// digits reads digits, and returns how many.
func (p *plainJSON) digits() int {
	n := 0
	for n < len(p.left) && '0' <= p.left[n] && p.left[n] <= '9' {
		n++
	}
	p.left = p.left[n:]
	return n
}

// number reads a number, and returns its text.
func (p *plainJSON) number() ([]byte, bool) {
	p.next()
	all := p.left
	p.left = bytes.TrimPrefix(p.left, []byte{'-'})
	whole := p.left
	if n := p.digits(); n == 0 || n > 1 && whole[0] == '0' {
		return nil, false
	}
	if len(p.left) > 0 && p.left[0] == '.' {
		p.left = p.left[1:]
		if p.digits() == 0 {
			return nil, false
		}
	}
	if len(p.left) > 0 && (p.left[0] == 'e' || p.left[0] == 'E') {
		p.left = p.left[1:]
		if len(p.left) > 0 && (p.left[0] == '+' || p.left[0] == '-') {
			p.left = p.left[1:]
		}
		if p.digits() == 0 {
			return nil, false
		}
	}
	return all[:len(all)-len(p.left)], p.delimited()
}

// fields reads an object, and has each called for each of its fields, which reads the value.
func (p *plainJSON) fields(each func(key, written []byte) bool) bool {
	if !p.skip('{') {
		return false
	}
	if p.next() == '}' {
		return p.skip('}')
	}
	for {
		key, written, ok := p.text()
		if !ok || !p.skip(':') || !each(key, written) {
			return false
		}
		if p.next() != ',' {
			return p.skip('}')
		}
		p.skip(',')
	}
}

// value reads a value, and appends it to b as an encoded google.protobuf.Value.
func (p *plainJSON) value(b []byte, depth int) (_ []byte, ok bool) {
	if depth == maxPlainDepth || !p.grow(len(b)) {
		return b, false
	}
	switch c := p.next(); c {
	case 'n':
		return append(b, nullTag, 0), p.word("null")
	case 't':
		return append(b, boolTag, 1), p.word("true")
	case 'f':
		return append(b, boolTag, 0), p.word("false")
	case '"':
		s, written, ok := p.text()
		b = protowire.AppendBytes(append(b, stringTag), s)
		return p.note(b, spellingTag, written), ok
	case '{':
		return p.object(b, depth)
	case '[':
		return p.list(b, depth)
	default:
		s, ok := p.number()
		if !ok {
			return b, false
		}
		n, err := strconv.ParseFloat(string(s), 64)
		b = binary.LittleEndian.AppendUint64(append(b, numberTag), math.Float64bits(n))
		var rendered [32]byte
		if r, ok := appendPlainNumber(rendered[:0], n); !ok || !bytes.Equal(r, s) {
			p.respelled = true
			b = p.note(b, spellingTag, s)
		}
		return b, err == nil
	}
}

func (p *plainJSON) object(b []byte, depth int) (_ []byte, ok bool) {
	var keys [maxPlainFields][]byte
	n := 0
	b = append(b, objectTag)
	start := len(b)
	var last []byte
	ok = p.fields(func(key, written []byte) (ok bool) {
		if !p.judged {
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
		b = p.note(b, keyTag, written)
		if b, ok = p.value(b, depth+1); ok {
			b = prefixLength(prefixLength(b, value), entry)
		}
		return ok
	})
	return prefixLength(b, start), ok
}

func (p *plainJSON) list(b []byte, depth int) (_ []byte, ok bool) {
	p.skip('[')
	b = append(b, listTag)
	start := len(b)
	if p.next() == ']' {
		return prefixLength(b, start), p.skip(']')
	}
	for {
		b = append(b, elementTag)
		element := len(b)
		if b, ok = p.value(b, depth+1); !ok {
			return b, false
		}
		b = prefixLength(b, element)
		if p.next() != ',' {
			return prefixLength(b, start), p.skip(']')
		}
		p.skip(',')
	}
}

// prefixLength puts how long b is from start on before that.
func prefixLength(b []byte, start int) []byte {
	n := uint64(len(b) - start)
	size := protowire.SizeVarint(n)
	b = append(b, make([]byte, size)...)
	copy(b[start+size:], b[start:])
	protowire.AppendVarint(b[:start], n)
	return b
}
