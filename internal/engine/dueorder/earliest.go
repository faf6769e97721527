package dueorder

import (
	"container/heap"
	"slices"

	"carillon/internal/engine/record"
)

// earliest holds the first entries in due order of those that were added, limit at most.
type earliest struct {
	limit   int // at least 1
	entries latestFirst
}

// add adds e, unless limit entries are earlier. It reports whether it did.
func (a *earliest) add(e record.Entry) bool {
	switch {
	case len(a.entries) < a.limit:
		heap.Push(&a.entries, e)
	case e.CompareDue(a.entries[0]) < 0:
		a.entries[0] = e
		heap.Fix(&a.entries, 0)
	default:
		return false
	}
	return true
}

// sorted returns the entries in due order. Nothing may be added any more.
func (a *earliest) sorted() []record.Entry {
	slices.SortFunc(a.entries, record.Entry.CompareDue)
	return a.entries
}

// latestFirst is a heap of entries, of which the latest in due order is the first. See
// [container/heap].
type latestFirst []record.Entry

func (h latestFirst) Len() int           { return len(h) }
func (h latestFirst) Less(i, j int) bool { return h[i].CompareDue(h[j]) > 0 }
func (h latestFirst) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *latestFirst) Push(x any)        { *h = append(*h, x.(record.Entry)) }

func (h *latestFirst) Pop() any {
	old := *h
	e := old[len(old)-1]
	*h = old[:len(old)-1]
	return e
}
