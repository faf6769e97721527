package jsonvalue

import (
	"bytes"
	"encoding/json"
	"slices"
)

// Member returns the source text of the last member of a JSON object with one of these names; nil
// if there is none. The text must be valid JSON; if it is no object, it has no members.
func Member(object []byte, names ...string) (found []byte) {
	Members(object, func(key, value []byte) {
		if slices.Contains(names, string(key)) {
			found = value
		}
	})
	return found
}

// Members calls each for each member of a JSON object, in order. The text must be valid JSON; if it
// is no object, it has no members.
func Members(object []byte, each func(key, value []byte)) {
	s := scanner{object}
	if s.next() != '{' {
		return
	}
	s.left = s.left[1:]
	for s.next() == '"' {
		raw := s.value()
		key := raw[1 : len(raw)-1]
		if bytes.IndexByte(key, '\\') >= 0 {
			var text string
			_ = json.Unmarshal(raw, &text) // it is valid JSON
			key = []byte(text)
		}
		if s.next() != ':' {
			return
		}
		s.left = s.left[1:]
		s.next()
		value := s.value()
		if len(value) == 0 {
			return
		}
		each(key, value)
		if s.next() == ',' {
			s.left = s.left[1:]
		}
	}
}

// A scanner splits valid JSON into values.
type scanner struct{ left []byte }

// next skips white space and returns the next byte; 0 at the end.
func (s *scanner) next() (c byte) {
	s.left, c = skipSpace(s.left)
	return c
}

// value reads the value at the front, with the white space before the comma or bracket after it.
func (s *scanner) value() []byte {
	all, depth, quoted := s.left, 0, false
	for i := 0; i < len(all); i++ {
		switch c := all[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
			if !quoted && depth == 0 {
				s.left = all[i+1:]
				return all[:i+1]
			}
		case quoted:
		case c == '{' || c == '[':
			depth++
		case (c == '}' || c == ']') && depth > 0:
			if depth--; depth == 0 {
				s.left = all[i+1:]
				return all[:i+1]
			}
		case (c == ',' || c == '}' || c == ']') && depth == 0:
			s.left = all[i:]
			return all[:i]
		}
	}
	s.left = nil
	return all
}

// skipSpace returns b without leading white space, and its first byte; 0 if there is none.
func skipSpace(b []byte) (rest []byte, first byte) {
	for i, c := range b {
		if c != ' ' && c != '\n' && c != '\t' && c != '\r' {
			return b[i:], c
		}
	}
	return nil, 0
}
