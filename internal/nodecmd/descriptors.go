package nodecmd

import (
	"context"
	"log/slog"

	"carillon/internal/descriptors"
)

// DivideDescriptors divides the process's limit of open file descriptors among its parts, logs the shares and
// returns them.
func DivideDescriptors(ctx context.Context, p descriptors.Parts, log *slog.Logger) descriptors.Shares {
	s := descriptors.Divide(descriptors.Limit(), p)
	log.LogAttrs(ctx, slog.LevelInfo, "file descriptors", s.Attrs()...)
	return s
}
