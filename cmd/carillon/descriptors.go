package main

import (
	"context"
	"log/slog"

	"carillon/internal/descriptors"
)

// divideDescriptors finds out how many file descriptors the process may have open, and logs and
// returns what each part of it may have of them.
func divideDescriptors(ctx context.Context, p descriptors.Parts, log *slog.Logger) descriptors.Shares {
	s := descriptors.Divide(descriptors.Limit(), p)
	log.LogAttrs(ctx, slog.LevelInfo, "file descriptors", s.Attrs()...)
	return s
}
