package record

import (
	"encoding/binary"
	"hash/fnv"
	"slices"
	"strings"
	"time"

	"carillon/internal/job"
	"carillon/internal/store"
)

// The first byte of a key tells what its record is. A key is a tuple, and byte order is the order
// of its fields: strings are escaped and terminated, and instants are encoded as in instant.go.
const (
	tagDue   = 'd' // d, partition, target, instant, name: an entry of the due index, without a value
	tagJob   = 'j' // j, target, name: a spec
	tagMeta  = 'm' // m, word: about the store itself
	tagState = 's' // s, target, name: a state
)

// A KeyKind tells what the record of a key is.
type KeyKind uint8

// The kinds of keys. A store may hold unknown ones if it is damaged or a later release wrote it.
const (
	KindUnknown KeyKind = iota
	KindDue             // an entry of the due index
	KindJob             // a spec
	KindState           // a state
	KindMeta            // about the store itself
)

// KindOf returns the kind of a key of a store.
func KindOf(key []byte) KeyKind {
	if len(key) == 0 {
		return KindUnknown
	}
	switch key[0] {
	case tagDue:
		return KindDue
	case tagJob:
		return KindJob
	case tagState:
		return KindState
	case tagMeta:
		return KindMeta
	default:
		return KindUnknown
	}
}

// IsOfJob reports whether a key of the store is about a job. The others are about the store itself.
func IsOfJob(key []byte) bool { return KindOf(key) != KindMeta }

// IsJob reports whether a key of the store holds a spec, of which each job has one.
func IsJob(key []byte) bool { return KindOf(key) == KindJob }

// JobKey is where the spec of k is stored.
func JobKey(k job.Key) []byte { return appendKey(append(newKey(k), tagJob), k) }

// StateKey is where the state of k is stored.
func StateKey(k job.Key) []byte { return appendKey(append(newKey(k), tagState), k) }

// DueKey is the key of e in the due index.
func DueKey(e Entry) []byte {
	b := appendTarget(appendPartition(newKey(e.Key), e.Partition), e.Key.Target)
	return appendName(appendInstant(b, e.Due), e.Key)
}

// newKey returns an empty slice with the capacity for any key about k in which nothing is escaped.
func newKey(k job.Key) []byte {
	const fixed = 16 // tag, partition, kind, instant and four terminators
	return make([]byte, 0, fixed+len(k.Target.Namespace)+len(k.Target.Name)+len(k.ActorID)+len(k.Name))
}

// PartitionOf returns which of n partitions k belongs to. It hashes the whole key, so that the jobs
// of one busy app are spread over all partitions.
func PartitionOf(k job.Key, n int) int {
	var most [256]byte // holds most keys without an allocation
	h := fnv.New64a()
	_, _ = h.Write(appendKey(most[:0], k))
	return int(h.Sum64() % uint64(n))
}

// JobRange is the range of all specs.
func JobRange() store.Range { return store.Prefix([]byte{tagJob}) }

// PrefixRange is the range of the specs of the jobs that p names.
func PrefixRange(p job.Prefix) store.Range {
	b := appendString([]byte{tagJob, byte(p.Kind)}, p.Namespace)
	for _, part := range p.Parts {
		b = appendString(b, part)
	}
	b = appendString(b, p.Rest)
	return store.Prefix(b[:len(b)-1])
}

// PartitionRange is the range of one partition in the due index.
func PartitionRange(partition int) store.Range { return store.Prefix(appendPartition(nil, partition)) }

// LaneRange is the range of one lane in the due index.
func LaneRange(id LaneID) store.Range {
	return store.Prefix(appendTarget(appendPartition(nil, id.Partition), id.Target))
}

// LaneRangeFrom is the range of the entries of a lane from an instant on.
func LaneRangeFrom(id LaneID, due time.Time) store.Range {
	r := LaneRange(id)
	r.From = appendInstant(slices.Clip(r.From), due)
	return r
}

// RangeAfter is the rest of e's lane in the due index, after e.
func RangeAfter(e Entry) store.Range {
	r := LaneRange(e.Lane())
	r.From = append(DueKey(e), 0)
	return r
}

func appendPartition(b []byte, partition int) []byte {
	return binary.BigEndian.AppendUint16(append(b, tagDue), uint16(partition))
}

func appendKey(b []byte, k job.Key) []byte { return appendName(appendTarget(b, k.Target), k) }

func appendTarget(b []byte, t job.Target) []byte {
	return appendString(appendString(append(b, byte(t.Kind)), t.Namespace), t.Name)
}

func appendName(b []byte, k job.Key) []byte {
	if k.Target.Kind == job.Actor {
		b = appendString(b, k.ActorID)
	}
	return appendString(b, k.Name)
}

// appendString appends s and a zero byte. Within s, byte 0 becomes 1 1 and byte 1 becomes 1 2. That
// keeps the order of strings, of their prefixes, and of the tuples that contain them.
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
