package record

import (
	"carillon/internal/job"
	"carillon/internal/store"
)

// SelectorRange is the smallest range that holds the specs of the jobs that s selects. It may hold
// others, too.
func SelectorRange(s job.Selector) store.Range {
	b := []byte{tagJob}
	if s.Kind == 0 {
		return store.Prefix(b)
	}
	b = append(b, byte(s.Kind))
	parts := []string{s.Namespace, s.Target}
	if s.Kind == job.Actor {
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
