package record

import (
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
