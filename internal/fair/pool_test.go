package fair_test

import (
	"fmt"
	"testing"

	"carillon/internal/fair"
)

// fill has k hold as much as it may, one at a time.
func fill(p *fair.Pool[string], k string) int {
	for p.Room(k) > 0 {
		p.Take(k, 1)
	}
	return p.HeldBy(k)
}

func TestOneThatHoldsMuchLeavesRoomForOthers(t *testing.T) {
	p := fair.NewPool[string](1000, 10)
	for i, want := range []int{500, 250, 125, 63} {
		if got := fill(p, fmt.Sprint(i)); got < want-2 || got > want+2 {
			t.Errorf("number %d holds %d of 1000, want about %d", i, got, want)
		}
	}
}

func TestEachHasItsGuaranteedPartWhateverOthersHold(t *testing.T) {
	p := fair.NewPool[string](1000, 10)
	for i := range 50 {
		if got := fill(p, fmt.Sprint(i)); got < 10 {
			t.Errorf("number %d holds %d, want 10 at least", i, got)
		}
	}
}

func TestGuaranteedPartsHaveABoundTogether(t *testing.T) {
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

func TestWhatIsGivenBackIsThereForOthers(t *testing.T) {
	p := fair.NewPool[string](1000, 10)
	for i := range 8 {
		fill(p, fmt.Sprint(i))
	}
	held := p.HeldBy("0")
	p.Give("0", held)
	if room := p.Room("another"); room < held/3 {
		t.Errorf("when one has given %d back there is room for %d, want a third at least", held, room)
	}
	for i := range 8 {
		k := fmt.Sprint(i)
		p.Give(k, p.HeldBy(k))
	}
	if p.Held() != 0 || p.HeldBy("5") != 0 {
		t.Errorf("%d are held when all is given back", p.Held())
	}
}
