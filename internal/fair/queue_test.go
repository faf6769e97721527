package fair_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"carillon/internal/fair"
)

// next pops the item whose turn it is, at a cost of 1.
func next(t *testing.T, q *fair.Queue[string, int]) string {
	t.Helper()
	if _, ok := q.Next(); !ok {
		return ""
	}
	k, item := q.Pop()
	q.Charge(k, 1)
	return fmt.Sprint(k, item)
}

func take(t *testing.T, q *fair.Queue[string, int], n int) (got []string) {
	t.Helper()
	for range n {
		got = append(got, next(t, q))
	}
	return got
}

func TestFlowsTakeTurns(t *testing.T) {
	q := fair.NewQueue[string, int](2)
	for i := range 5 {
		q.Push("a", i)
	}
	for i := range 3 {
		q.Push("b", i)
	}
	got := take(t, q, 9)
	if want := []string{"a0", "a1", "b0", "b1", "a2", "a3", "b2", "a4", ""}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestIdleFlowGoesBeforeBusyOnes(t *testing.T) {
	q := fair.NewQueue[string, int](4)
	for i := range 100 {
		for f := range 10 {
			q.Push(fmt.Sprint("busy", f, "-"), i)
		}
	}
	take(t, q, 50) // each has had its first turn
	q.Push("idle", 0)
	if got := take(t, q, 5); !slices.Contains(got, "idle0") {
		t.Errorf("after its arrival came %q, want idle0 after a quantum of one other at most", got)
	}
}

func TestNewFlowsDoNotStarveOldOnes(t *testing.T) {
	q := fair.NewQueue[string, int](4)
	for i := range 100 {
		q.Push("old", i)
	}
	seen, fresh := 0, 0
	for range 1000 {
		for q.Len() < 200 {
			q.Push(fmt.Sprint("fresh", fresh, "-"), 0)
			fresh++
		}
		k, _ := q.Pop()
		q.Charge(k, 1)
		if k == "old" {
			seen++
		}
	}
	if seen < 100 {
		t.Errorf("of 100 items of a flow %d were served among 1000, with new flows all the time", seen)
	}
}

func TestQueueForgetsEmptyFlows(t *testing.T) {
	q := fair.NewQueue[string, int](4)
	for i := range 10_000 {
		q.Push("one", i)
		q.Push(fmt.Sprint("flow", i), i)
		take(t, q, 2)
	}
	if n := q.Flows(); n > 100 {
		t.Errorf("an empty queue keeps %d flows", n)
	}
	for i := range 10_000 { // something always waits
		q.Push("busy", i)
		q.Push("busy", i)
		q.Push(fmt.Sprint("flow", i), i)
		take(t, q, 2)
	}
	if n := q.Flows(); n > 100 {
		t.Errorf("%d flows are kept, and one has something", n)
	}
}

func TestEmptiedFlowIsNotFreshAgain(t *testing.T) {
	q := fair.NewQueue[string, int](4)
	for i := range 100 {
		q.Push("busy", i)
	}
	busy := 0
	for i := range 40 { // one item at a time, just when the last has gone
		q.Push("eager", i)
		for next(t, q) != fmt.Sprint("eager", i) {
			busy++
		}
	}
	if busy < 30 {
		t.Errorf("the busy flow had %d turns against 40 of a flow that empties and refills itself, want about as many", busy)
	}
}

func TestTurnsAreDividedByCost(t *testing.T) {
	q := fair.NewQueue[string, int](4)
	for i := range 1000 {
		q.Push("large", i)
		q.Push("small", i)
	}
	cost := map[string]int{"large": 8, "small": 1}
	spent := map[string]int{}
	for range 300 {
		k, _ := q.Pop()
		q.Charge(k, cost[k])
		spent[k] += cost[k]
	}
	if d := spent["large"] - spent["small"]; d < -16 || d > 16 {
		t.Errorf("large items had %d, and small ones %d: want about the same", spent["large"], spent["small"])
	}
}

func TestPushFrontGoesFirst(t *testing.T) {
	q := fair.NewQueue[string, int](4)
	q.Push("a", 0)
	q.Push("a", 1)
	k, item := q.Pop()
	q.PushFront(k, item)
	if got, want := take(t, q, 3), []string{"a0", "a1", ""}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestResumedFlowIsNotFresh(t *testing.T) {
	q := fair.NewQueue[string, int](1)
	for i := range 3 {
		q.Push("a", i)
		q.Push("b", i)
	}
	take(t, q, 2)
	for _, item := range q.Remove("a") {
		q.Resume("a", item)
	}
	if got, want := take(t, q, 5), []string{"a1", "b1", "a2", "b2", ""}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestQueueKeepsOrderAndCount runs random operations on a queue and compares it with plain slices.
func TestQueueKeepsOrderAndCount(t *testing.T) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 0))
		q, model := fair.NewQueue[string, int](1+r.IntN(5)), map[string][]int{}
		for step := range 2000 {
			k := fmt.Sprint("flow", r.IntN(8))
			switch r.IntN(9) {
			case 0, 1, 2:
				q.Push(k, step)
				model[k] = append(model[k], step)
			case 3:
				q.PushFront(k, step)
				model[k] = append([]int{step}, model[k]...)
			case 4:
				if got := q.Remove(k); !slices.Equal(got, model[k]) {
					t.Fatalf("seed %d, step %d: removed %v of %s, want %v", seed, step, got, k, model[k])
				}
				delete(model, k)
			case 5:
				odd := func(i int) bool { return i%2 == 1 }
				q.DeleteFunc(k, odd)
				model[k] = slices.DeleteFunc(model[k], odd)
			default:
				k, ok := q.Next()
				if !ok {
					break
				}
				popped, item := q.Pop()
				q.Charge(k, r.IntN(3))
				if popped != k || len(model[k]) == 0 || item != model[k][0] {
					t.Fatalf("seed %d, step %d: popped %s%d, want the first of %v of %s", seed, step, popped, item, model[k], k)
				}
				model[k] = model[k][1:]
			}
			n := 0
			for k, items := range model {
				n += len(items)
				if q.LenOf(k) != len(items) {
					t.Fatalf("seed %d, step %d: %d of %s wait, want %d", seed, step, q.LenOf(k), k, len(items))
				}
			}
			if q.Len() != n {
				t.Fatalf("seed %d, step %d: %d wait, want %d", seed, step, q.Len(), n)
			}
		}
		if left := q.Drain(); q.Len() != 0 || len(left) == 0 {
			t.Errorf("seed %d: drained %d, and %d wait", seed, len(left), q.Len())
		}
	}
}
