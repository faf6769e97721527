package jsonvalue

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"
)

// A Parser reads simple JSON. Each of its methods reads one element from the front and reports
// whether it is simple; if not, the position of the parser is undefined.
type Parser struct {
	left     []byte
	reserve  Reserve
	reserved int   // bytes of memory for data
	err      error // ErrTooLarge or ErrNoMemory

	accepted  bool // by proto-JSON: strings with escapes and large objects count as simple
	spelled   bool // spellings are added to the data
	spellings int  // bytes of the data that are spellings
	respelled bool // a number is written differently than it is rendered
	unsorted  bool // the keys of an object are not sorted
	loss      Loss // of the data
}

// NewParser returns a parser of text. reserve reserves memory beyond that of another copy of text.
func NewParser(text []byte, reserve Reserve) *Parser {
	return &Parser{left: text, reserve: reserve, reserved: len(text)}
}

// NewAcceptedParser returns a parser of a part of a text of that size that proto-JSON has accepted.
// It also parses strings with escapes and large objects.
func NewAcceptedParser(part []byte, reserve Reserve, size int) *Parser {
	return &Parser{left: part, reserve: reserve, reserved: size, accepted: true}
}

// Err returns [ErrTooLarge] or [ErrNoMemory] if the parser has stopped for one of them.
func (p *Parser) Err() error { return p.err }

// Loss returns what the value of Data has lost.
func (p *Parser) Loss() Loss { return p.loss }

// AtEnd reports whether only white space is left.
func (p *Parser) AtEnd() bool {
	p.Next()
	return len(p.left) == 0
}

// Next skips white space and returns the next byte, without reading it; 0 at the end.
func (p *Parser) Next() (c byte) {
	p.left, c = skipSpace(p.left)
	return c
}

// skip reads one byte.
func (p *Parser) skip(c byte) bool {
	if p.Next() != c {
		return false
	}
	p.left = p.left[1:]
	return true
}

// Word reads a word such as true.
func (p *Parser) Word(w string) bool {
	rest, ok := bytes.CutPrefix(p.left, []byte(w))
	p.left = rest
	return ok && p.delimited()
}

// delimited reports whether a word or a number ends here.
func (p *Parser) delimited() bool {
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

// Text reads a string; one with escapes is simple only in an accepted text. It returns its value,
// and how it was written if it is rendered differently.
func (p *Parser) Text() (s, written []byte, ok bool) {
	if p.Next() != '"' {
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
		case c == '\\' && p.accepted:
			escapes = true
			i++
		case c == '\\' || c < ' ':
			return nil, nil, false
		}
	}
	return nil, nil, false
}

// unescape is Text for a string with escapes.
func unescape(token []byte) (s, written []byte, ok bool) {
	var says string
	if !utf8.Valid(token) || json.Unmarshal(token, &says) != nil {
		return nil, nil, false
	}
	s = []byte(says)
	if rendered, ok := appendText(nil, s); ok && bytes.Equal(rendered, token) {
		return s, nil, true
	}
	return s, token, true
}

// digits reads digits, and returns their number.
func (p *Parser) digits() int {
	n := 0
	for n < len(p.left) && '0' <= p.left[n] && p.left[n] <= '9' {
		n++
	}
	p.left = p.left[n:]
	return n
}

// Number reads a number, and returns its text.
func (p *Parser) Number() ([]byte, bool) {
	p.Next()
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

// Fields reads an object. It calls each for each field, which must read the value.
func (p *Parser) Fields(each func(key, written []byte) bool) bool {
	if !p.skip('{') {
		return false
	}
	if p.Next() == '}' {
		return p.skip('}')
	}
	for {
		key, written, ok := p.Text()
		if !ok || !p.skip(':') || !each(key, written) {
			return false
		}
		if p.Next() != ',' {
			return p.skip('}')
		}
		p.skip(',')
	}
}
