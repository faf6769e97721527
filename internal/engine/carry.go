package engine

import (
	"fmt"

	"carillon/internal/job"
)

// EncodeRequest returns the key and the spec of r as the store would have them, for another node. The spec is nil if the
// job is to be removed.
func EncodeRequest(r *job.Request) (key, spec []byte) {
	if r.Remove {
		return jobKey(r.Key), nil
	}
	return jobKey(r.Key), encodeSpec(r.Key, &r.Spec)
}

// DecodeRequest is the inverse of EncodeRequest. The result shares no memory with its arguments.
func DecodeRequest(key, spec []byte) (job.Request, error) {
	k, err := parseJob(key)
	if err != nil {
		return job.Request{}, fmt.Errorf("another node's request: %w", err)
	}
	if len(spec) == 0 {
		return job.Request{Key: k, Remove: true}, nil
	}
	s, err := decodeSpec(k, spec)
	if err != nil {
		return job.Request{}, fmt.Errorf("another node's request: %w", err)
	}
	return job.Request{Key: k, Spec: *s}, nil
}
