package app

import (
	"context"
	"errors"
	"slices"
)

// component is a part of a node. It runs until ctx ends.
type component func(ctx context.Context) error

// runComponents runs all components at once until ctx ends or one component returns. Then it stops
// the components one by one in reverse order, waiting for each: while a component runs, all
// components before it in the list run too. It returns the joined errors of the components.
func runComponents(ctx context.Context, components ...component) error {
	base := context.WithoutCancel(ctx)
	type running struct {
		stop context.CancelFunc
		done chan error
	}
	all := make([]running, len(components))
	returned := make(chan struct{}, len(components))
	for i, run := range components {
		componentCtx, stop := context.WithCancel(base)
		defer stop()
		all[i] = running{stop, make(chan error, 1)}
		go func() {
			all[i].done <- run(componentCtx)
			returned <- struct{}{}
		}()
	}
	select {
	case <-ctx.Done():
	case <-returned:
	}
	var err error
	for _, s := range slices.Backward(all) {
		s.stop()
		err = errors.Join(<-s.done, err)
	}
	return err
}
