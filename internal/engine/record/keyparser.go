package record

import (
	"bytes"

	"carillon/internal/job"
)

// A keyParser reads the fields of a key in their order. After a failure it returns zero values.
type keyParser struct {
	rest   []byte
	failed bool
}

func (p *keyParser) fail() { p.failed, p.rest = true, nil }

func (p *keyParser) target() job.Target {
	return job.Target{Kind: job.Kind(p.byte()), Namespace: p.string(), Name: p.string()}
}

// key parses the name of a job of t.
func (p *keyParser) key(t job.Target) job.Key {
	k := job.Key{Target: t}
	if t.Kind == job.Actor {
		k.ActorID = p.string()
	}
	k.Name = p.string()
	return k
}

func (p *keyParser) bytes(n int) []byte {
	if len(p.rest) < n {
		p.fail()
		return nil
	}
	b := p.rest[:n]
	p.rest = p.rest[n:]
	return b
}

func (p *keyParser) byte() byte {
	if b := p.bytes(1); b != nil {
		return b[0]
	}
	return 0
}

func (p *keyParser) string() string {
	end := bytes.IndexByte(p.rest, 0)
	if end < 0 {
		p.fail()
		return ""
	}
	s := p.bytes(end + 1)[:end]
	if bytes.IndexByte(s, 1) < 0 { // nothing is escaped, as nearly always
		return string(s)
	}
	return p.unescape(s)
}

func (p *keyParser) unescape(s []byte) string {
	var plain []byte
	for len(s) > 0 {
		c, width := s[0], 1
		if c == 1 {
			if len(s) < 2 || s[1] != 1 && s[1] != 2 {
				p.fail()
				return ""
			}
			c, width = s[1]-1, 2
		}
		plain, s = append(plain, c), s[width:]
	}
	return string(plain)
}
