package duescan

import (
	"container/heap"
	"time"
)

// A cutLane is a lane that has unread entries.
type cutLane struct {
	due      time.Time // of the first of them
	from, to []byte    // their range
}

// lanes is a heap of lanes: the first is the one that is read least far.
type lanes []cutLane

func (l *lanes) push(c cutLane) { heap.Push(l, c) }
func (l *lanes) pop() cutLane   { return heap.Pop(l).(cutLane) }

// Len implements [heap.Interface], as the methods that follow do.
func (l lanes) Len() int           { return len(l) }
func (l lanes) Less(i, j int) bool { return l[i].due.Before(l[j].due) }
func (l lanes) Swap(i, j int)      { l[i], l[j] = l[j], l[i] }
func (l *lanes) Push(x any)        { *l = append(*l, x.(cutLane)) }

func (l *lanes) Pop() any {
	last := len(*l) - 1
	c := (*l)[last]
	*l = (*l)[:last]
	return c
}
