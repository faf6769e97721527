package record

import (
	"carillon/internal/job"
	"carillon/internal/store"
)

// SelectorRanges are ranges that hold the specs of the jobs that s selects, in ascending order. They
// hold no others in front of the first empty field of s.
func SelectorRanges(s job.Selector) []store.Range {
	if s.Kind != 0 {
		return []store.Range{kindRange(s, s.Kind)}
	}
	return []store.Range{kindRange(s, job.App), kindRange(s, job.Actor)}
}

// kindRange is the range of the jobs of a kind that s selects.
func kindRange(s job.Selector, k job.Kind) store.Range {
	b := []byte{tagJob, byte(k)}
	parts := []string{s.Namespace, s.Target}
	if k == job.Actor {
		parts = append(parts, s.ActorID)
	}
	for _, part := range parts {
		if part == "" {
			return store.Prefix(b)
		}
		b = appendString(b, part)
	}
	b = appendString(b, s.NamePrefix)
	return store.Prefix(b[:len(b)-1])
}

// LanesRange is a range of one partition in the due index that holds the lanes of the targets of a
// kind that s selects. It holds no others in front of the first empty field of s.
func LanesRange(partition int, k job.Kind, s job.Selector) store.Range {
	b := append(appendPartition(nil, partition), byte(k))
	for _, part := range []string{s.Namespace, s.Target} {
		if part == "" {
			break
		}
		b = appendString(b, part)
	}
	return store.Prefix(b)
}

// KeyAfter returns the first key of a spec that may follow that of k.
func KeyAfter(k job.Key) []byte { return append(JobKey(k), 0) }
