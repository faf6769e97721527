package machine

import (
	"time"

	"carillon/internal/engine/record"
	"carillon/internal/store"
)

// A tombstones is a stretch of a lane in the due index, between two entries, that holds no entry.
// Where a million jobs were deleted, a store steps over the tombstones of them all. A lane
// remembers the longest such stretch and does not read it again. Without that, each refill would
// read it: the cursor moves back before it whenever more jobs are scheduled than the window holds.
//
// The stretch was empty as of a commit, and every later entry passes through Lane.insert.
type tombstones struct{ from, to record.Entry }

// contains reports whether e lies within the stretch.
func (t *tombstones) contains(e record.Entry) bool {
	return t != nil && t.from.Compare(e) < 0 && e.Compare(t.to) < 0
}

// endsAfter reports whether the stretch ends after e.
func (t *tombstones) endsAfter(e record.Entry) bool { return t != nil && e.Compare(t.to) < 0 }

// noteTombstones looks for a longer stretch in what was read after the cursor.
func (l *Lane) noteTombstones(read []record.Entry) {
	longest := time.Duration(0)
	if l.tombstones.endsAfter(l.cursor) {
		longest = l.tombstones.to.Due.Sub(l.tombstones.from.Due)
	} else {
		l.tombstones = nil
	}
	before := l.cursor
	for _, e := range read {
		if d := e.Due.Sub(before.Due); d > longest {
			l.tombstones, longest = &tombstones{before, e}, d
		}
		before = e
	}
}

// Unread returns the ranges of the due index after the cursor, without the tombstones.
func (l *Lane) Unread() []store.Range {
	rest := record.RangeAfter(l.cursor)
	if !l.tombstones.endsAfter(l.cursor) {
		return []store.Range{rest}
	}
	beyond := store.Range{From: record.DueKey(l.tombstones.to), To: rest.To}
	if l.tombstones.from.Compare(l.cursor) <= 0 {
		return []store.Range{beyond}
	}
	rest.To = record.RangeAfter(l.tombstones.from).From
	return []store.Range{rest, beyond}
}
