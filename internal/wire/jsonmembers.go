package wire

import (
	"bytes"
	"encoding/json"
	"slices"
)

// member returns the value of that name, in any of its spellings, in a JSON object, as it is written there; nil if there is
// none. The object must be valid. Of anything else it has none.
func member(object []byte, spellings ...string) (found []byte) {
	members(object, func(key, value []byte) {
		if slices.Contains(spellings, string(key)) {
			found = value
		}
	})
	return found
}

// members calls each for each member of a JSON object, which must be valid, in its order. Of anything else it has none.
func members(object []byte, each func(key, value []byte)) {
	s := jsonScanner{object}
	if s.next() != '{' {
		return
	}
	s.left = s.left[1:]
	for s.next() == '"' {
		raw := s.value()
		key := raw[1 : len(raw)-1]
		if bytes.IndexByte(key, '\\') >= 0 {
			var text string
			_ = json.Unmarshal(raw, &text) // it is valid
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

// A jsonScanner finds where the values of valid JSON end.
type jsonScanner struct{ left []byte }

// next skips white space and returns the next byte; 0 at the end.
func (s *jsonScanner) next() (c byte) {
	s.left, c = skipSpace(s.left)
	return c
}

// value returns the value at the front, and what is before a comma or a closing bracket after it.
func (s *jsonScanner) value() []byte {
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

// skipSpace returns b from the first byte on that is no white space, and that byte; 0 if there is none.
func skipSpace(b []byte) (rest []byte, first byte) {
	for i, c := range b {
		if c != ' ' && c != '\n' && c != '\t' && c != '\r' {
			return b[i:], c
		}
	}
	return nil, 0
}
