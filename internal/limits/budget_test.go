package limits_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"carillon/internal/limits"
)

func TestBudgetIsNeverExceeded(t *testing.T) {
	b := limits.NewBudget(10)
	if !b.TryAcquire(6) || b.TryAcquire(5) || b.TryAcquireWithin(1, 6) || !b.TryAcquireWithin(1, 7) || b.TryAcquireWithin(4, 100) {
		t.Errorf("%d of 10 bytes are in use: want 7, acquired as 6 and 1, and nothing beyond a limit", b.Used())
	}
	b.Release(7)
	if !b.TryAcquire(10) {
		t.Error("not all bytes are free after they were released")
	}
}

func TestBudgetWaiterGetsFreedBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := limits.NewBudget(10)
		b.TryAcquire(10)
		got := make(chan bool, 20)
		for range cap(got) {
			go func() { got <- b.AcquireWithin(t.Context(), 5, 10) }()
		}
		for n := range cap(got) {
			synctest.Wait()
			if len(got) != n {
				t.Fatalf("%d have got their bytes, want %d", len(got), n)
			}
			b.Release(5)
		}
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		b.TryAcquire(5)
		began := time.Now()
		if b.AcquireWithin(ctx, 6, 10) || time.Since(began) != time.Second {
			t.Errorf("the wait ended after %v, want nothing after a second", time.Since(began))
		}
	})
}
