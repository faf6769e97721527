package fair_test

import (
	"testing"
	"time"

	"carillon/internal/fair"
)

func TestRatesPromiseEachKeyItsShareInOrder(t *testing.T) {
	now := time.Unix(1000, 0)
	r := fair.NewRates[string](100)
	for i, want := range []time.Duration{0, 0, 100 * time.Millisecond, 600 * time.Millisecond} {
		if got := r.Take(now, "a", []int{60, 40, 10, 50}[i]).Sub(now); got != want {
			t.Errorf("Take %d = %v from now, want %v", i, got, want)
		}
	}
	if got := r.Take(now, "b", 1); got != now {
		t.Errorf("another key has its own in %v, want it at once", got.Sub(now))
	}
	r.Give("a", 50) // of those that were promised
	now = now.Add(time.Second)
	if got := r.Take(now, "a", 90); got != now {
		t.Errorf("a second later, 90 come in %v, want them at once", got.Sub(now))
	}
	now = now.Add(time.Hour)
	r.Take(now, "a", 100)
	if got, want := r.Take(now, "a", 1).Sub(now), 10*time.Millisecond; got != want {
		t.Errorf("after an hour without any, the 101st comes in %v, want %v", got, want)
	}
	back := now.Add(-time.Hour)
	if got := r.Take(back, "a", 1).Sub(back); got > 20*time.Millisecond {
		t.Errorf("with a clock that was set back the next comes in %v, want 20ms at most", got)
	}
}

func TestRatesForgetKeysThatTakeNothing(t *testing.T) {
	now := time.Unix(1000, 0)
	r := fair.NewRates[int](10)
	for k := range 100_000 {
		r.Take(now, k, 1)
		now = now.Add(time.Millisecond)
	}
	if n := r.Len(); n > 2*1024 {
		t.Errorf("%d keys are known, want those of the last seconds", n)
	}
}
