package app

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func TestPartsStopOneByOneTheLastFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var order []string
		part := func(name string) stage {
			return func(ctx context.Context) error {
				<-ctx.Done()
				time.Sleep(time.Second) // whoever did not wait would be seen
				order = append(order, name)
				return nil
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := runStages(ctx, part("store"), part("engine"), part("sidecar")); err != nil {
			t.Error(err)
		}
		if want := []string{"sidecar", "engine", "store"}; !slices.Equal(order, want) {
			t.Errorf("the parts stopped in the order %v, want %v", order, want)
		}
	})
}

func TestAPartThatFailsEndsTheNodeWithItsError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("the disk is gone")
		stopped := false
		err := runStages(t.Context(),
			func(context.Context) error { time.Sleep(time.Hour); return broken },
			func(ctx context.Context) error { <-ctx.Done(); stopped = true; return nil },
		)
		if !errors.Is(err, broken) || !stopped {
			t.Errorf("runStages = %v, and the other part was stopped: %v", err, stopped)
		}
	})
}
