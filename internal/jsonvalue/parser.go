package jsonvalue

import (
	"bytes"
	"errors"
	"io"
	"sync"

	"github.com/go-json-experiment/json/jsontext"
)

// A Parser reads simple JSON, which jsontext scans. Each of its methods reads one element from the
// front and reports whether it is simple; if not, the position of the parser is undefined.
type Parser struct {
	dec      jsontext.Decoder
	in       bytes.Buffer
	text     []byte
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

// parsers holds unused parsers: a decoder allocates stacks, which costs more than a small text.
var parsers = sync.Pool{New: func() any { return new(Parser) }} //nolint:gochecknoglobals // as pools are

// NewParser returns a parser of text, which the caller frees. reserve reserves memory beyond that
// of another copy of text.
func NewParser(text []byte, reserve Reserve) *Parser {
	p := parsers.Get().(*Parser)
	p.text, p.reserve, p.reserved, p.err = text, reserve, len(text), nil
	p.accepted, p.spelled, p.spellings, p.respelled, p.unsorted, p.loss = false, false, 0, false, false, 0
	p.in = *bytes.NewBuffer(text)
	p.dec.Reset(&p.in)
	return p
}

// NewAcceptedParser returns a parser of a part of a text of that size that proto-JSON has accepted.
// It also parses strings with escapes and large objects. The caller frees it.
func NewAcceptedParser(part []byte, reserve Reserve, size int) *Parser {
	p := NewParser(part, reserve)
	p.reserved, p.accepted = size, true
	p.dec.Reset(&p.in, jsontext.AllowDuplicateNames(true)) // proto-JSON has refused them where it does
	return p
}

// Free ends the use of the parser. What it has returned stays valid.
func (p *Parser) Free() {
	p.text, p.reserve, p.in = nil, nil, bytes.Buffer{}
	p.dec.Reset(&p.in)
	parsers.Put(p)
}

// Err returns [ErrTooLarge] or [ErrNoMemory] if the parser has stopped for one of them.
func (p *Parser) Err() error { return p.err }

// Loss returns what the value of Data has lost.
func (p *Parser) Loss() Loss { return p.loss }

// AtEnd reports whether only white space is left.
func (p *Parser) AtEnd() bool {
	_, err := p.dec.ReadToken()
	return errors.Is(err, io.EOF)
}

// token reads a bracket or a word such as true.
func (p *Parser) token() bool {
	_, err := p.dec.ReadToken()
	return err == nil
}

// Value reads a value of any form, and returns how it is written.
func (p *Parser) Value() (written []byte, ok bool) {
	v, err := p.dec.ReadValue()
	end := int(p.dec.InputOffset())
	return p.text[end-len(v) : end], err == nil
}

// Bool reads true or false.
func (p *Parser) Bool() (value, ok bool) {
	kind := p.dec.PeekKind()
	return kind == jsontext.KindTrue, (kind == jsontext.KindTrue || kind == jsontext.KindFalse) && p.token()
}

// Text reads a string; one with escapes is simple only in an accepted text. It returns its value,
// and how it was written if it is rendered differently.
func (p *Parser) Text() (s, written []byte, ok bool) {
	if p.dec.PeekKind() != jsontext.KindString {
		return nil, nil, false
	}
	written, ok = p.Value()
	switch {
	case !ok:
		return nil, nil, false
	case bytes.IndexByte(written, '\\') < 0:
		return written[1 : len(written)-1], nil, true
	case !p.accepted:
		return nil, nil, false
	}
	s, err := jsontext.AppendUnquote(make([]byte, 0, len(written)), written)
	if err != nil {
		return nil, nil, false
	}
	if rendered, ok := appendText(nil, s); ok && bytes.Equal(rendered, written) {
		return s, nil, true
	}
	return s, written, true
}

// Number reads a number, and returns its text.
func (p *Parser) Number() ([]byte, bool) {
	if p.dec.PeekKind() != jsontext.KindNumber {
		return nil, false
	}
	return p.Value()
}

// Fields reads an object. It calls each for each field, which must read the value.
func (p *Parser) Fields(each func(key, written []byte) bool) bool {
	if p.dec.PeekKind() != jsontext.KindBeginObject || !p.token() {
		return false
	}
	for p.dec.PeekKind() != jsontext.KindEndObject {
		key, written, ok := p.Text()
		if !ok || !each(key, written) {
			return false
		}
	}
	return p.token()
}
