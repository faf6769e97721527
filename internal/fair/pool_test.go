package fair_test

import (
	"fmt"
	"testing"

	"carillon/internal/fair"
)

// fill makes k hold as much as it may, and returns how much that is.
func fill(p *fair.Pool[string], k string) int {
	for p.Available(k) > 0 {
		p.Acquire(k, 1)
	}
	return p.HeldBy(k)
}

func TestSharesShrinkWithTheNumberOfHolders(t *testing.T) {
	p := fair.NewPool[string](1000, 10)
	for i, want := range []int{500, 250, 125, 63} {
		if got := fill(p, fmt.Sprint(i)); got < want-2 || got > want+2 {
			t.Errorf("number %d holds %d of 1000, want about %d", i, got, want)
		}
	}
}

func TestGuaranteedPartIsAlwaysAvailable(t *testing.T) {
	p := fair.NewPool[string](1000, 10)
	for i := range 50 {
		if got := fill(p, fmt.Sprint(i)); got < 10 {
			t.Errorf("number %d holds %d, want 10 at least", i, got)
		}
	}
}

func TestGuaranteedPartsAreBoundedTogether(t *testing.T) {
	p := fair.NewPool[string](1000, 10)
	for i := range 5000 {
		if got := fill(p, fmt.Sprint(i)); got < 1 {
			t.Errorf("number %d holds nothing", i)
		}
	}
	if most := 1500 + 10 + 5000; p.Held() > most {
		t.Errorf("5000 hold %d, want %d at most", p.Held(), most)
	}
}

func TestReleasedAmountIsAvailableToOthers(t *testing.T) {
	p := fair.NewPool[string](1000, 10)
	for i := range 8 {
		fill(p, fmt.Sprint(i))
	}
	held := p.HeldBy("0")
	p.Release("0", held)
	if n := p.Available("another"); n < held/3 {
		t.Errorf("after one has released %d another may hold %d, want a third at least", held, n)
	}
	for i := range 8 {
		k := fmt.Sprint(i)
		p.Release(k, p.HeldBy(k))
	}
	if p.Held() != 0 || p.HeldBy("5") != 0 {
		t.Errorf("%d are held after all is released", p.Held())
	}
}
