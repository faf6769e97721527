package fair

import "slices"

// A list is a sequence with two ends. What has left it is let go of.
type list[T any] struct {
	items []T // from head on
	head  int
}

func (l *list[T]) len() int { return len(l.items) - l.head }

func (l *list[T]) front() T { return l.items[l.head] }

func (l *list[T]) pushBack(t T) {
	if len(l.items) == cap(l.items) && l.head > len(l.items)/2 {
		n := copy(l.items, l.items[l.head:])
		clear(l.items[n:])
		l.items, l.head = l.items[:n], 0
	}
	l.items = append(l.items, t)
}

func (l *list[T]) pushFront(t T) {
	if l.head == 0 {
		room := 1 + l.len()/2
		l.items = slices.Insert(l.items, 0, make([]T, room)...)
		l.head = room
	}
	l.head--
	l.items[l.head] = t
}

func (l *list[T]) popFront() T {
	var none T
	t := l.items[l.head]
	l.items[l.head] = none
	l.head++
	l.tidy()
	return t
}

func (l *list[T]) popBack() T {
	var none T
	last := len(l.items) - 1
	t := l.items[last]
	l.items[last] = none
	l.items = l.items[:last]
	l.tidy()
	return t
}

// keep is how many places an empty list may keep.
const keep = 64

func (l *list[T]) tidy() {
	if l.len() > 0 {
		return
	}
	l.items, l.head = l.items[:0], 0
	if cap(l.items) > keep {
		l.items = nil
	}
}

// all returns what is in l, the first first. It is l's own memory.
func (l *list[T]) all() []T { return l.items[l.head:] }

// deleteFunc removes what del says so of, and returns how many those were.
func (l *list[T]) deleteFunc(del func(T) bool) int {
	before := l.len()
	rest := slices.DeleteFunc(l.items[l.head:], del)
	l.items = l.items[:l.head+len(rest)]
	l.tidy()
	return before - len(rest)
}
