package record

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"carillon/internal/job"
)

var errKey = errors.New("malformed key")

// maxShownKey is how many bytes of a malformed key an error shows.
const maxShownKey = 64

func malformed(key []byte) error {
	return fmt.Errorf("%w %x", errKey, key[:min(len(key), maxShownKey)])
}

func isKind(k job.Kind) bool { return k == job.App || k == job.Actor }

// ParseJobKey is the inverse of JobKey.
func ParseJobKey(key []byte) (job.Key, error) {
	k, ok := parseKey(key, tagJob)
	if !ok {
		return job.Key{}, fmt.Errorf("job: %w", malformed(key))
	}
	return k, nil
}

// parseKey parses the key of a spec or a state.
func parseKey(key []byte, tag byte) (k job.Key, ok bool) {
	p := keyParser{rest: key}
	got := p.byte()
	k = p.key(p.target())
	return k, !p.failed && got == tag && len(p.rest) == 0 && isKind(k.Target.Kind)
}

// ParseDueKey is the inverse of DueKey.
func ParseDueKey(key []byte) (Entry, error) {
	p := keyParser{rest: key}
	tag, partition := p.byte(), p.bytes(2)
	var e Entry
	if partition != nil {
		e.Partition = int(binary.BigEndian.Uint16(partition))
	}
	target := p.target()
	e.Due = p.instant()
	e.Key = p.key(target)
	if p.failed || tag != tagDue || len(p.rest) > 0 || !isKind(target.Kind) {
		return Entry{}, fmt.Errorf("due index: %w", malformed(key))
	}
	return e, nil
}

// ParseDueKeyOf is ParseDueKey for a store of so many partitions. An entry in a partition that its
// job does not belong to is an error.
func ParseDueKeyOf(key []byte, partitions int) (Entry, error) {
	e, err := ParseDueKey(key)
	if err == nil && e.Partition != PartitionOf(e.Key, partitions) {
		return Entry{}, fmt.Errorf("due index: %w: the job %s does not belong to partition %d", errKey, e.Key, e.Partition)
	}
	return e, err
}

// ParseKey returns the job that the key of a spec, a state or an entry of the due index is about.
func ParseKey(key []byte) (job.Key, error) {
	switch KindOf(key) {
	case KindDue:
		e, err := ParseDueKey(key)
		return e.Key, err
	case KindJob, KindState:
		k, ok := parseKey(key, key[0])
		if !ok {
			return job.Key{}, fmt.Errorf("job: %w", malformed(key))
		}
		return k, nil
	default:
		return job.Key{}, fmt.Errorf("%w: it is of no kind that is known here", malformed(key))
	}
}

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
