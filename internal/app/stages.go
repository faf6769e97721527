package app

import (
	"context"
	"errors"
	"slices"
)

// stage is a part of a node. It runs until ctx ends.
type stage func(ctx context.Context) error

// runStages runs all stages at once until ctx ends or one stage returns. Then it stops the stages one by
// one in reverse order, waiting for each: while a stage runs, all stages before it in the list run too.
// It returns the joined errors of the stages.
func runStages(ctx context.Context, stages ...stage) error {
	base := context.WithoutCancel(ctx)
	type running struct {
		stop context.CancelFunc
		done chan error
	}
	all := make([]running, len(stages))
	returned := make(chan struct{}, len(stages))
	for i, run := range stages {
		stageCtx, stop := context.WithCancel(base)
		defer stop()
		all[i] = running{stop, make(chan error, 1)}
		go func() {
			all[i].done <- run(stageCtx)
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
