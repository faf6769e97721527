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

// KeyAfter returns the first key of a spec that may follow that of k.
func KeyAfter(k job.Key) []byte { return append(JobKey(k), 0) }
