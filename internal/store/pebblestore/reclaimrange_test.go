package pebblestore

import (
	"testing"

	"github.com/cockroachdb/pebble/v2"
)

// table returns what Pebble says about a table.
func table(smallest, largest string, mib, deletions uint64) pebble.SSTableInfo {
	var t pebble.SSTableInfo
	t.Smallest.UserKey, t.Largest.UserKey, t.Size = []byte(smallest), []byte(largest), mib<<20
	t.TableStats.NumDeletions = deletions
	return t
}

func TestReclaimTakesOneRangeWithDeletionsAtATime(t *testing.T) {
	type tables = []pebble.SSTableInfo
	for _, c := range []struct {
		name                string
		top, middle, bottom tables
		from, start, end    string // an empty end: no range
	}{
		{name: "an empty store"},
		{name: "no deletions", top: tables{table("a", "z", 1, 0)}, bottom: tables{table("a", "z", 1, 0)}},
		{name: "deletions at the bottom are Pebble's own matter", bottom: tables{table("a", "z", 1, 7)}},
		{name: "nothing below", top: tables{table("a", "z", 1, 7)}, start: "a", end: "z\x00"},
		{
			name: "one table over the whole store", top: tables{table("a", "z", 1, 7)},
			bottom: tables{table("a", "f", 40, 0), table("g", "m", 40, 0), table("n", "z", 40, 0)}, start: "a", end: "m\x00",
		},
		{
			name: "the next range", top: tables{table("a", "z", 1, 7)}, from: "m\x00",
			bottom: tables{table("a", "f", 40, 0), table("g", "m", 40, 0), table("n", "z", 40, 0)}, start: "m\x00", end: "z\x00",
		},
		{name: "behind the last deletions", top: tables{table("a", "c", 1, 7)}, from: "d", bottom: tables{table("a", "z", 1, 0)}},
		{
			name: "deletions on two levels", top: tables{table("m", "p", 1, 7)}, middle: tables{table("b", "c", 1, 0), table("d", "e", 1, 1)},
			bottom: tables{table("a", "b", 64, 0), table("c", "z", 1, 0)}, start: "d", end: "p\x00",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			levels := make([][]pebble.SSTableInfo, bottomLevel+1)
			levels[0], levels[4], levels[bottomLevel] = c.top, c.middle, c.bottom
			r, found := rangeWithDeletions(levels, []byte(c.from))
			if found != (c.end != "") || string(r.Start) != c.start || string(r.End) != c.end {
				t.Errorf("from %q: %q to %q, %v; want %q to %q", c.from, r.Start, r.End, found, c.start, c.end)
			}
		})
	}
}
