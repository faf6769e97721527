package engine

import (
	"testing"
	"time"

	"carillon/internal/engine/record"
)

// However an entry that was picked comes back into its lane, a later stall is not added to one that it had then.
func TestEntryThatComesBackForgetsTheStallThatItLeftWith(t *testing.T) {
	s := newScript(t, 1)
	at := func(seconds int) time.Time { return s.epoch.Add(time.Duration(seconds) * time.Second) }
	due := attempt{Entry: record.Entry{Due: at(1), Key: appKey("app", 1)}}
	left := due.withStall(stall{at(5), at(10)})
	if want := at(6); !left.free().Equal(want) {
		t.Fatalf("it is free at %v, want %v", left.free(), want)
	}
	s.machine.insert(left)
	l := s.machine.lanes[due.Lane()]
	if got := l.window[0].free(); !got.Equal(at(1)) {
		t.Errorf("back in its lane it is free at %v, want %v", got, at(1))
	}
	again := l.window[0].withStall(stall{at(7), at(20)})
	if want := at(14); !again.free().Equal(want) {
		t.Errorf("after eight seconds more it is free at %v, want %v", again.free(), want)
	}
}
