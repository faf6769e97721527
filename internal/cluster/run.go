package cluster

import (
	"context"
	"log/slog"

	"carillon/internal/pause"
)

// Run makes the node a member until ctx ends, and then returns nil. It runs the partitions that are
// assigned to the node, and stops those that no longer are. When the session is lost, the node
// rejoins as soon as possible.
func Run(ctx context.Context, cfg Config, c Coordinator, log *slog.Logger) error {
	log = log.With(slog.String("component", "cluster"), slog.String("node", cfg.Node.ID))
	for wait := minBackoff; ctx.Err() == nil; wait = min(2*wait, maxBackoff) {
		err := c.Join(ctx, cfg.Node, func(ctx context.Context, s Session) {
			wait = minBackoff
			n := sessionNode{config: cfg, session: s, log: log, tasks: map[int]*partitionTask{}}
			n.run(ctx)
		})
		if err != nil && ctx.Err() == nil {
			log.LogAttrs(ctx, slog.LevelWarn, "not a member of the cluster; rejoining", slog.Any("err", err))
			pause.For(ctx, wait)
		}
	}
	return nil
}
