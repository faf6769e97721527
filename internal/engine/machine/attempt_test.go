package machine

import (
	"testing"
	"time"

	"carillon/internal/engine/record"
	"carillon/internal/store"
)

// The blocked time that an attempt left its lane with does not count twice when it returns.
func TestReturningAttemptLosesBlockedTime(t *testing.T) {
	m := New(Config{Partitions: 1, MaxInFlight: 100})
	m.AddPartition(0, store.Fence{})
	at := func(seconds int) time.Time { return time.Unix(int64(seconds), 0).UTC() }
	due := Attempt{Entry: record.Entry{Due: at(1), Key: appKey("app", 1)}}
	left := due.leaving(blockedTime{at(5), at(10)})
	if want := at(6); !left.ReadyAt().Equal(want) {
		t.Fatalf("it is free at %v, want %v", left.ReadyAt(), want)
	}
	m.insert(left)
	l := m.lanes[due.Lane()]
	if got := l.window[0].ReadyAt(); !got.Equal(at(1)) {
		t.Errorf("back in its lane it is free at %v, want %v", got, at(1))
	}
	again := l.window[0].leaving(blockedTime{at(7), at(20)})
	if want := at(14); !again.ReadyAt().Equal(want) {
		t.Errorf("after eight seconds more it is free at %v, want %v", again.ReadyAt(), want)
	}
}
