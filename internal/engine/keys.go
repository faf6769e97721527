package engine

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"strings"

	"carillon/internal/job"
	"carillon/internal/store"
)

// The first byte of a key says what kind of record it holds. Keys are tuples whose byte order is the order of their
// parts: strings are escaped and terminated, instants as in instant.go. These two files alone know.
const (
	tagDue   = 'd' // d, partition, target, instant, name: an entry of the due index, without a value
	tagJob   = 'j' // j, target, name: a Spec
	tagMeta  = 'm' // m, word: about the store itself
	tagState = 's' // s, target, name: a State
)

// formatKey is where a store says how it is laid out.
func formatKey() []byte { return []byte{tagMeta, 'f'} }

// sealKey is where a store says that jobs may be sealed with a key.
func sealKey(id string) []byte { return append([]byte{tagMeta, 'k'}, id...) }

// noteKey is where a store keeps a note about a key of it that is in quarantine.
func noteKey(key []byte) []byte { return append([]byte{tagMeta, 'q'}, key...) }

// checkKey is where a store has what tells the key of that id from another one with the same id.
func checkKey(id string) []byte { return append([]byte{tagMeta, 'h'}, id...) }

// OfJob reports whether a key of the store is of a record about a job. The others are about the store itself.
func OfJob(key []byte) bool { return len(key) == 0 || key[0] != tagMeta }

// IsJob reports whether a key of the store is of a job's spec, of which each job has one.
func IsJob(key []byte) bool { return len(key) > 0 && key[0] == tagJob }

func jobKey(k job.Key) []byte { return appendKey(append(roomFor(k), tagJob), k) }

func stateKey(k job.Key) []byte { return appendKey(append(roomFor(k), tagState), k) }

func dueKey(e entry) []byte {
	return appendEntry(appendTarget(appendPartition(roomFor(e.key), e.partition), e.key.Target), e)
}

// roomFor returns an empty slice with room for any key about k in which nothing is escaped.
func roomFor(k job.Key) []byte {
	const fixed = 16 // tag, partition, kind, instant and four ends
	return make([]byte, 0, fixed+len(k.Target.Namespace)+len(k.Target.Name)+len(k.ActorID)+len(k.Name))
}

// dueRange is all of a partition's index.
func dueRange(partition int) store.Range { return store.Prefix(appendPartition(nil, partition)) }

// laneRange is the index of one lane.
func laneRange(id laneID) store.Range {
	return store.Prefix(appendTarget(appendPartition(nil, id.partition), id.target))
}

// after is what of its lane's index lies behind e.
func after(e entry) store.Range {
	r := laneRange(e.lane())
	r.From = append(dueKey(e), 0)
	return r
}

// partitionOf returns which of n partitions k belongs to, by a hash of all of it: one busy app spreads over all.
func partitionOf(k job.Key, n int) int {
	var most [256]byte // of most keys: they need not be allocated
	h := fnv.New64a()
	_, _ = h.Write(appendKey(most[:0], k))
	return int(h.Sum64() % uint64(n))
}

func appendPartition(b []byte, partition int) []byte {
	return binary.BigEndian.AppendUint16(append(b, tagDue), uint16(partition))
}

func appendKey(b []byte, k job.Key) []byte { return appendName(appendTarget(b, k.Target), k) }

func appendTarget(b []byte, t job.Target) []byte {
	return appendString(appendString(append(b, byte(t.Kind)), t.Namespace), t.Name)
}

func appendEntry(b []byte, e entry) []byte {
	return appendName(appendInstant(b, e.due), e.key)
}

func appendName(b []byte, k job.Key) []byte {
	if k.Target.Kind == job.Actor {
		b = appendString(b, k.ActorID)
	}
	return appendString(b, k.Name)
}

// appendString adds s and a zero byte. A zero byte within s becomes 1 1 and a one becomes 1 2, which keeps the order
// of strings, of their prefixes, and of the tuples they stand in.
func appendString(b []byte, s string) []byte {
	if strings.IndexByte(s, 0) < 0 && strings.IndexByte(s, 1) < 0 { // nearly always
		return append(append(b, s...), 0)
	}
	for i := range len(s) {
		if c := s[i]; c <= 1 {
			b = append(b, 1, c+1)
		} else {
			b = append(b, c)
		}
	}
	return append(b, 0)
}

// prefixRange is the records of the jobs that p names.
func prefixRange(p job.Prefix) store.Range {
	b := appendString([]byte{tagJob, byte(p.Kind)}, p.Namespace)
	for _, part := range p.Parts {
		b = appendString(b, part)
	}
	b = appendString(b, p.Rest)
	return store.Prefix(b[:len(b)-1])
}

var errKey = errors.New("malformed key")

// maxShownKey is how many bytes of a malformed key an error shows.
const maxShownKey = 64

func known(k job.Kind) bool { return k == job.App || k == job.Actor }

// parseJob is the inverse of jobKey.
func parseJob(key []byte) (job.Key, error) {
	p := keyParser{rest: key}
	tag := p.byte()
	k := p.key(p.target())
	if p.failed || tag != tagJob || len(p.rest) > 0 || !known(k.Target.Kind) {
		return job.Key{}, fmt.Errorf("job: %w %x", errKey, key[:min(len(key), maxShownKey)])
	}
	return k, nil
}

// parseDue is the inverse of dueKey.
func parseDue(key []byte) (entry, error) {
	p := keyParser{rest: key}
	tag, partition := p.byte(), p.bytes(2)
	var e entry
	if partition != nil {
		e.partition = int(binary.BigEndian.Uint16(partition))
	}
	target := p.target()
	e.due = p.instant()
	e.key = p.key(target)
	if p.failed || tag != tagDue || len(p.rest) > 0 || !known(target.Kind) {
		return entry{}, fmt.Errorf("due index: %w %x", errKey, key[:min(len(key), maxShownKey)])
	}
	return e, nil
}

// A keyParser takes a key apart from its front. After a failure everything it returns is empty.
type keyParser struct {
	rest   []byte
	failed bool
}

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
		p.failed, p.rest = true, nil
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
		p.failed, p.rest = true, nil
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
				p.failed, p.rest = true, nil
				return ""
			}
			c, width = s[1]-1, 2
		}
		plain, s = append(plain, c), s[width:]
	}
	return string(plain)
}
