package fair_test

import (
	"testing"
	"time"

	"carillon/internal/fair"
)

func TestRatesReserveForEachKeyInOrder(t *testing.T) {
	now := time.Unix(1000, 0)
	r := fair.NewRates[string](100)
	for i, want := range []time.Duration{0, 0, 100 * time.Millisecond, 600 * time.Millisecond} {
		if got := r.Reserve(now, "a", []int{60, 40, 10, 50}[i]).Sub(now); got != want {
			t.Errorf("Reserve %d = %v from now, want %v", i, got, want)
		}
	}
	if got := r.Reserve(now, "b", 1); got != now {
		t.Errorf("another key waits for %v, want none", got.Sub(now))
	}
	r.Cancel("a", 50) // of the reserved ones
	now = now.Add(time.Second)
	if got := r.Reserve(now, "a", 90); got != now {
		t.Errorf("a second later, 90 come in %v, want them at once", got.Sub(now))
	}
	now = now.Add(time.Hour)
	r.Reserve(now, "a", 100)
	if got, want := r.Reserve(now, "a", 1).Sub(now), 10*time.Millisecond; got != want {
		t.Errorf("after an hour without any, the 101st comes in %v, want %v", got, want)
	}
	back := now.Add(-time.Hour)
	if got := r.Reserve(back, "a", 1).Sub(back); got > 20*time.Millisecond {
		t.Errorf("with a clock that was set back the next comes in %v, want 20ms at most", got)
	}
}

func TestRatesForgetIdleKeys(t *testing.T) {
	now := time.Unix(1000, 0)
	r := fair.NewRates[int](10)
	for k := range 100_000 {
		r.Reserve(now, k, 1)
		now = now.Add(time.Millisecond)
	}
	if n := r.Len(); n > 2*1024 {
		t.Errorf("%d keys are known, want those of the last seconds", n)
	}
}
