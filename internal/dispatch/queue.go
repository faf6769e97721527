package dispatch

// A queue is first in, first out. It forgets what has left.
type queue[T any] struct {
	items []T // from head on
	head  int
}

// idle is how many places an empty queue may keep.
const idle = 64

func (q *queue[T]) push(t T) {
	if len(q.items) == cap(q.items) && q.head > len(q.items)/2 {
		n := copy(q.items, q.items[q.head:])
		clear(q.items[n:])
		q.items, q.head = q.items[:n], 0
	}
	q.items = append(q.items, t)
}

func (q *queue[T]) pop() (t T, ok bool) {
	if q.head == len(q.items) {
		return t, false
	}
	var none T
	t, q.items[q.head] = q.items[q.head], none
	q.head++
	if q.head == len(q.items) {
		q.items, q.head = q.items[:0], 0
		if cap(q.items) > idle {
			q.items = nil
		}
	}
	return t, true
}

// all returns what is in q, the first first. It is q's own memory.
func (q *queue[T]) all() []T { return q.items[q.head:] }
