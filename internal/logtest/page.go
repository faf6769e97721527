// Package logtest records a log, or the output of a process, for tests that read it meanwhile.
package logtest

import (
	"bytes"
	"sync"
)

// A Page is a log that can be read while it is written. The zero value is empty. It is safe for
// concurrent use.
type Page struct {
	mu   sync.Mutex // guards the field below
	text bytes.Buffer
}

// Write implements [io.Writer]. It never fails.
func (p *Page) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.Write(b)
}

// String returns everything written so far.
func (p *Page) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.String()
}
