package fair

import "github.com/gammazero/deque"

// A Queue holds items of many flows, first in, first out within each. It schedules flows by deficit
// round robin: each yields items up to the cost of a quantum, then the next has its turn.
//
// A flow that had nothing waiting goes before those in the rotation, for one quantum. So an item of
// a flow that asks for little waits only briefly, however much the busy ones hold (RFC 8290,
// section 4). After every freshTurns such turns a flow of the rotation has one, so that new flows
// cannot starve it.
//
// A Queue is not bounded; its caller has to bound it. Use [NewQueue] to create one.
type Queue[K comparable, T any] struct {
	quantum  int
	flows    map[K]*flow[K, T]
	fresh    deque.Deque[*flow[K, T]] // flows that had nothing waiting; they go first
	rotation deque.Deque[*flow[K, T]]
	turns    int // of fresh flows since the last turn of the rotation
	len      int
}

// freshTurns is how many turns fresh flows have before a flow of the rotation has one.
const freshTurns = 8

// A flow is the items of one key. It is in one of the two lists of its queue. If it has no items,
// it leaves the queue when it has its turn.
type flow[K comparable, T any] struct {
	key    K
	items  deque.Deque[T]
	credit int // what its items may still cost in this turn
}

// NewQueue returns an empty queue. The quantum is the cost of a turn; it is positive.
func NewQueue[K comparable, T any](quantum int) *Queue[K, T] {
	return &Queue[K, T]{quantum: quantum, flows: make(map[K]*flow[K, T])}
}

// Len returns how many items wait.
func (q *Queue[K, T]) Len() int { return q.len }

// LenOf returns how many items of k wait.
func (q *Queue[K, T]) LenOf(k K) int {
	if f := q.flows[k]; f != nil {
		return f.items.Len()
	}
	return 0
}

// Push adds an item to the end of k's flow.
func (q *Queue[K, T]) Push(k K, item T) {
	f := q.flows[k]
	if f == nil {
		f = &flow[K, T]{key: k, credit: q.quantum}
		q.flows[k] = f
		q.fresh.PushBack(f)
	}
	f.items.PushBack(item)
	q.len++
}

// Resume is Push for a flow that was served before and removed with [Queue.Remove]: it joins the
// rotation, not the fresh flows.
func (q *Queue[K, T]) Resume(k K, item T) {
	if q.flows[k] == nil {
		f := &flow[K, T]{key: k}
		q.flows[k] = f
		q.rotation.PushBack(f)
	}
	q.Push(k, item)
}

// PushFront returns a popped item to the front of k's flow.
func (q *Queue[K, T]) PushFront(k K, item T) {
	q.Push(k, item)
	items := &q.flows[k].items
	last := items.PopBack()
	items.PushFront(last)
}

// Next returns the key whose turn it is; ok is false if nothing waits.
func (q *Queue[K, T]) Next() (k K, ok bool) {
	if q.len == 0 {
		return k, false
	}
	return q.front().key, true
}

// Pop removes and returns the first item of the flow whose turn it is. The queue must not be empty.
// The caller calls Charge with the cost of the item before it pops the next.
func (q *Queue[K, T]) Pop() (k K, item T) {
	f := q.front()
	item = f.items.PopFront()
	q.removed(1)
	return f.key, item
}

// Charge charges k the cost of popped items.
func (q *Queue[K, T]) Charge(k K, cost int) {
	if f := q.flows[k]; f != nil {
		f.credit -= cost
	}
}

// front returns the flow whose turn it is and moves it to the front of its list. The queue must not
// be empty.
func (q *Queue[K, T]) front() *flow[K, T] {
	for {
		from := &q.fresh
		if from.Len() == 0 || q.turns >= freshTurns && q.rotation.Len() > 0 {
			from = &q.rotation
		}
		f := from.Front()
		if f.items.Len() > 0 && f.credit > 0 {
			return f
		}
		from.PopFront()
		switch {
		case from == &q.fresh:
			// Also an empty flow: if it were deleted, its next item would make it fresh again.
			q.turns++
			f.credit = min(f.credit+q.quantum, q.quantum)
			q.rotation.PushBack(f)
		case f.items.Len() > 0:
			q.turns = 0
			f.credit = min(f.credit+q.quantum, q.quantum)
			q.rotation.PushBack(f)
		default:
			delete(q.flows, f.key)
		}
	}
}

// Remove removes all items of k and returns them in order.
func (q *Queue[K, T]) Remove(k K) []T {
	f := q.flows[k]
	if f == nil {
		return nil
	}
	items := f.items.AppendToSlice(nil)
	f.items = deque.Deque[T]{}
	q.removed(len(items))
	return items
}

// removed counts n items less. An empty queue deletes its flows.
func (q *Queue[K, T]) removed(n int) {
	if q.len -= n; q.len == 0 {
		clear(q.flows)
		q.fresh, q.rotation, q.turns = deque.Deque[*flow[K, T]]{}, deque.Deque[*flow[K, T]]{}, 0
	}
}

// DeleteFunc removes the items of k for which del returns true.
func (q *Queue[K, T]) DeleteFunc(k K, del func(T) bool) {
	if f := q.flows[k]; f != nil {
		before := f.items.Len()
		for range before { // rotates the whole flow once, so that the rest keep their order
			if item := f.items.PopFront(); !del(item) {
				f.items.PushBack(item)
			}
		}
		q.removed(before - f.items.Len())
	}
}

// Drain removes and returns all items; those of one flow are in order.
func (q *Queue[K, T]) Drain() []T {
	var all []T
	for q.len > 0 {
		k, _ := q.Next()
		all = append(all, q.Remove(k)...)
	}
	return all
}
