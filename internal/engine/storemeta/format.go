package storemeta

import (
	"context"
	"fmt"

	"carillon/internal/engine/record"
	"carillon/internal/store"
)

// CheckFormat makes sure that a store has the layout that this version uses, with so many
// partitions. It initializes an empty store.
func CheckFormat(ctx context.Context, s store.Store, partitions int) error {
	values, err := s.Get(ctx, record.FormatKey())
	if err != nil {
		return fmt.Errorf("read the store's format: %w", err)
	}
	got := values[0]
	if got == nil {
		var b store.Batch
		b.Put(record.FormatKey(), record.EncodeFormat(partitions))
		if err := s.Commit(ctx, &b); err != nil {
			return fmt.Errorf("write the store's format: %w", err)
		}
		return nil
	}
	switch n, ok := record.DecodeFormat(got); {
	case !ok:
		return &UnusableError{fmt.Sprintf("the store's format is %x, and this version of carillon knows only format %d: use the version that wrote it", got, record.FormatVersion)}
	case n != partitions:
		return &UnusableError{fmt.Sprintf("the store was made with %d partitions and cannot be used with %d", n, partitions)}
	}
	return nil
}
