package app

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func TestComponentsStopInReverseOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var order []string
		named := func(name string) component {
			return func(ctx context.Context) error {
				<-ctx.Done()
				time.Sleep(time.Second) // a component that does not wait would finish first
				order = append(order, name)
				return nil
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := runComponents(ctx, named("store"), named("engine"), named("sidecar")); err != nil {
			t.Error(err)
		}
		if want := []string{"sidecar", "engine", "store"}; !slices.Equal(order, want) {
			t.Errorf("the components stopped in the order %v, want %v", order, want)
		}
	})
}

func TestFailedComponentStopsNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("the disk is gone")
		stopped := false
		err := runComponents(t.Context(),
			func(context.Context) error { time.Sleep(time.Hour); return broken },
			func(ctx context.Context) error { <-ctx.Done(); stopped = true; return nil },
		)
		if !errors.Is(err, broken) || !stopped {
			t.Errorf("runComponents = %v, and the other component was stopped: %v", err, stopped)
		}
	})
}
