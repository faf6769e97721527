package record

import (
	"context"
	"fmt"

	"carillon/internal/store"
)

// HasEntry reports whether the due index of a store holds e.
func HasEntry(ctx context.Context, s store.Store, e Entry) (bool, error) {
	values, err := s.Get(ctx, DueKey(e))
	if err != nil {
		return false, fmt.Errorf("read the due index of job %s: %w", e.Key, err)
	}
	return values[0] != nil, nil
}
