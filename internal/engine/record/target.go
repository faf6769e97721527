package record

import (
	"fmt"

	"carillon/internal/job"
	"carillon/internal/store"
)

// TargetKey returns t as keys have it. Its byte order is that of kind, namespace and name.
func TargetKey(t job.Target) []byte { return appendTarget(nil, t) }

// ParseTarget is the inverse of TargetKey.
func ParseTarget(b []byte) (job.Target, error) {
	p := keyParser{rest: b}
	t := p.target()
	if p.failed || len(p.rest) > 0 || !isKind(t.Kind) {
		return job.Target{}, fmt.Errorf("target: %w", malformed(b))
	}
	return t, nil
}

// TargetRange is the range of the specs of all jobs of a target.
func TargetRange(t job.Target) store.Range {
	return store.Prefix(appendTarget([]byte{tagJob}, t))
}
