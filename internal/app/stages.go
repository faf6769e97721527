package app

import (
	"context"
	"errors"
	"slices"
)

// A stage is a part of a node that runs until its context ends.
type stage func(ctx context.Context) error

// runStages runs all stages at once, until ctx ends or one of them does. Then it stops them one by one, the last
// first, each when the one before it has returned: a stage may rely on those before it for as long as it runs. It
// returns what they returned.
func runStages(ctx context.Context, stages ...stage) error {
	steady := context.WithoutCancel(ctx)
	type running struct {
		stop context.CancelFunc
		done chan error
	}
	all := make([]running, len(stages))
	ended := make(chan struct{}, len(stages))
	for i, run := range stages {
		stageCtx, stop := context.WithCancel(steady)
		defer stop()
		all[i] = running{stop, make(chan error, 1)}
		go func() {
			all[i].done <- run(stageCtx)
			ended <- struct{}{}
		}()
	}
	select {
	case <-ctx.Done():
	case <-ended:
	}
	var err error
	for _, s := range slices.Backward(all) {
		s.stop()
		err = errors.Join(<-s.done, err)
	}
	return err
}
