package bench

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"
)

// receive calls f while the triggers of the app are recorded in l and answered. It returns the
// error of f or of the stream.
func (b *bench) receive(ctx context.Context, t *measuredServer, app string, l *ledger, f func(ctx context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		return t.watch(ctx, app, func(name string, at time.Time) bool {
			l.add(name, at)
			return true
		})
	})
	g.Go(func() error {
		defer cancel()
		return f(ctx)
	})
	return g.Wait()
}
