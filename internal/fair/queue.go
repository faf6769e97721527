package fair

import "github.com/gammazero/deque"

// A Queue holds items of many flows, first in, first out within each. Flows take turns: each yields items that cost as
// much as the quantum, then the next flow has its turn. A flow that had nothing waiting goes before those that have
// waited in rotation, for one quantum; so an item of a flow that asks for little waits for little, however much the busy
// ones hold (RFC 8290, section 4). After every freshTurns such turns one of the rotation comes, so that new flows without
// end starve nobody.
//
// A Queue has no bound of its own: its caller bounds it. Make it with [NewQueue].
type Queue[K comparable, T any] struct {
	quantum  int
	flows    map[K]*flow[K, T]
	fresh    deque.Deque[*flow[K, T]] // had nothing waiting when their first item came; before the others
	rotation deque.Deque[*flow[K, T]]
	turns    int // that fresh flows have had since one of the rotation had its own
	len      int
}

// freshTurns is how many turns fresh flows have before one of the rotation has its turn.
const freshTurns = 8

// A flow is the items of one key. It is in one of the two lists of its queue, perhaps without items: then it leaves the
// queue when its turn comes.
type flow[K comparable, T any] struct {
	key    K
	items  deque.Deque[T]
	credit int // what its items may cost before the next flow has its turn
}

// NewQueue returns an empty queue whose flows yield items of that cost in each turn, which is positive.
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

// Resume is Push for a flow that has been served before and was taken out with [Queue.Remove]: it does not go before
// the others.
func (q *Queue[K, T]) Resume(k K, item T) {
	if q.flows[k] == nil {
		f := &flow[K, T]{key: k}
		q.flows[k] = f
		q.rotation.PushBack(f)
	}
	q.Push(k, item)
}

// PushFront puts an item that was popped back to the front of k's flow.
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

// Pop removes and returns the first item of the flow whose turn it is, which must not be empty. Its cost is to be told to
// Charge, before the next call.
func (q *Queue[K, T]) Pop() (k K, item T) {
	f := q.front()
	item = f.items.PopFront()
	q.took(1)
	return f.key, item
}

// Charge says what items of k that were popped have cost.
func (q *Queue[K, T]) Charge(k K, cost int) {
	if f := q.flows[k]; f != nil {
		f.credit -= cost
	}
}

// front returns the flow whose turn it is and brings it to the front of its list. Something must wait.
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
		case from == &q.fresh: // an empty one stays for a rotation: otherwise it would have priority whenever it is empty
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

// Remove takes all items of k out and returns them in their order.
func (q *Queue[K, T]) Remove(k K) []T {
	f := q.flows[k]
	if f == nil {
		return nil
	}
	items := f.items.AppendToSlice(nil)
	f.items = deque.Deque[T]{}
	q.took(len(items))
	return items
}

// took notes that items have left. An empty queue keeps no flows.
func (q *Queue[K, T]) took(n int) {
	if q.len -= n; q.len == 0 {
		clear(q.flows)
		q.fresh, q.rotation, q.turns = deque.Deque[*flow[K, T]]{}, deque.Deque[*flow[K, T]]{}, 0
	}
}

// DeleteFunc removes the items of k of which del says so.
func (q *Queue[K, T]) DeleteFunc(k K, del func(T) bool) {
	if f := q.flows[k]; f != nil {
		before := f.items.Len()
		for range before { // all of them once around: those that stay keep their order
			if item := f.items.PopFront(); !del(item) {
				f.items.PushBack(item)
			}
		}
		q.took(before - f.items.Len())
	}
}

// Drain takes all items out and returns them: those of one flow in their order.
func (q *Queue[K, T]) Drain() []T {
	var all []T
	for q.len > 0 {
		k, _ := q.Next()
		all = append(all, q.Remove(k)...)
	}
	return all
}
