package machine

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"carillon/internal/engine/record"
)

func TestUnreadSkipsLongestTombstones(t *testing.T) {
	at := func(n int) record.Entry {
		return record.Entry{Key: appKey("app", 1), Due: time.Unix(int64(n), 0).UTC()}
	}
	twin := func(n int) record.Entry {
		return record.Entry{Key: appKey("app", 2), Due: time.Unix(int64(n), 0).UTC()}
	}
	stretch := func(from, to int) *tombstones { return &tombstones{at(from), at(to)} }
	show := func(g *tombstones) string {
		if g == nil {
			return "none"
		}
		return fmt.Sprint(g.from.Due.Unix(), "-", g.to.Due.Unix())
	}
	for _, c := range []struct {
		cursor int
		tombs  *tombstones
		read   []record.Entry
		want   string
		unread []int // of the entries 1 to 40, before the read
	}{
		{10, nil, nil, "none", upTo(11, 40)},
		{10, nil, []record.Entry{twin(10)}, "none", upTo(11, 40)},
		{10, nil, []record.Entry{at(11), at(13), at(14), at(16)}, "11-13", upTo(11, 40)}, // the first of two
		{10, nil, []record.Entry{at(20), at(23)}, "10-20", upTo(11, 40)},
		{10, stretch(20, 30), []record.Entry{at(11)}, "20-30", append(upTo(11, 20), upTo(30, 40)...)},
		{10, stretch(20, 22), []record.Entry{at(12), at(15)}, "12-15", append(upTo(11, 20), upTo(22, 40)...)},
		{10, stretch(10, 30), []record.Entry{at(30)}, "10-30", upTo(30, 40)},
		{10, stretch(5, 30), []record.Entry{at(30), at(31)}, "5-30", upTo(30, 40)},
		{10, stretch(5, 10), []record.Entry{twin(10)}, "none", upTo(11, 40)}, // it lies behind
		{10, stretch(5, 9), []record.Entry{at(11)}, "10-11", upTo(11, 40)},
		{10, stretch(1, 9), nil, "none", upTo(11, 40)},
	} {
		l := &Lane{id: at(1).Lane(), more: true, cursor: at(c.cursor), tombstones: c.tombs}
		var unread []int
		for n := range 41 {
			key := string(record.DueKey(at(n)))
			for _, r := range l.Unread() {
				if key >= string(r.From) && key < string(r.To) {
					unread = append(unread, n)
				}
			}
		}
		if !slices.Equal(unread, c.unread) {
			t.Errorf("behind %d with the tombstones %s %v are to be read, want %v", c.cursor, show(c.tombs), unread, c.unread)
		}
		before := show(c.tombs)
		if l.noteTombstones(c.read); show(l.tombstones) != c.want {
			t.Errorf("behind %d with the tombstones %s, what is read leaves the tombstones %s, want %s", c.cursor, before, show(l.tombstones), c.want)
		}
	}
	g := stretch(5, 10)
	for n, holds := range map[int]bool{4: false, 5: false, 6: true, 9: true, 10: false, 11: false} {
		if g.contains(at(n)) != holds || (*tombstones)(nil).contains(at(n)) || g.endsAfter(at(n)) != (n < 10) {
			t.Errorf("the tombstones from 5 to 10 contain %d: %v, and end after it: %v", n, g.contains(at(n)), g.endsAfter(at(n)))
		}
	}
}

// upTo returns the numbers from one to another, both included.
func upTo(from, to int) (all []int) {
	for n := from; n <= to; n++ {
		all = append(all, n)
	}
	return all
}
