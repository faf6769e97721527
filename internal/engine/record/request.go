package record

import (
	"fmt"

	"carillon/internal/job"
)

// EncodeRequest returns r for another node, as the key and the spec that a store would hold. The
// spec is nil if r removes the job. Overwrite is not part of the encoding.
func EncodeRequest(r *job.Request) (key, spec []byte) {
	if r.Remove {
		return JobKey(r.Key), nil
	}
	return JobKey(r.Key), EncodeSpec(r.Key, &r.Spec)
}

// DecodeRequest is the inverse of EncodeRequest. The result shares no memory with the arguments.
func DecodeRequest(key, spec []byte) (job.Request, error) {
	k, err := ParseJobKey(key)
	if err != nil {
		return job.Request{}, fmt.Errorf("another node's request: %w", err)
	}
	if len(spec) == 0 {
		return job.Request{Key: k, Remove: true}, nil
	}
	s, err := DecodeSpec(k, spec)
	if err != nil {
		return job.Request{}, fmt.Errorf("another node's request: %w", err)
	}
	return job.Request{Key: k, Spec: *s}, nil
}
