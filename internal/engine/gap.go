package engine

import (
	"time"

	"carillon/internal/engine/record"
	"carillon/internal/store"
)

// A gap lies between two entries of a lane, with none between them in the index. Where a million jobs were deleted a
// store steps over the marks of them all, so a lane remembers one gap, and does not read there again: without that, a
// lane whose cursor moves back before them, as it does when more jobs come than its window holds, would read there after
// every such batch. What lies in a gap is known from the store as of the last commit, and whatever enters the index
// passes through insert.
type gap struct{ from, to record.Entry }

func (g *gap) holds(e record.Entry) bool {
	return g != nil && g.from.Compare(e) < 0 && e.Compare(g.to) < 0
}

// ahead reports whether g ends behind e.
func (g *gap) ahead(e record.Entry) bool { return g != nil && e.Compare(g.to) < 0 }

// see looks for a gap in what was read from behind the cursor.
func (l *lane) see(read []record.Entry) {
	longest := time.Duration(0)
	if l.gap.ahead(l.cursor) {
		longest = l.gap.to.Due.Sub(l.gap.from.Due)
	} else {
		l.gap = nil
	}
	before := l.cursor
	for _, e := range read {
		if d := e.Due.Sub(before.Due); d > longest {
			l.gap, longest = &gap{before, e}, d
		}
		before = e
	}
}

// unread is what of the index lies behind the cursor, but for the gap.
func (l *lane) unread() []store.Range {
	rest := record.RangeAfter(l.cursor)
	if !l.gap.ahead(l.cursor) {
		return []store.Range{rest}
	}
	beyond := store.Range{From: record.DueKey(l.gap.to), To: rest.To}
	if l.gap.from.Compare(l.cursor) <= 0 {
		return []store.Range{beyond}
	}
	rest.To = record.RangeAfter(l.gap.from).From
	return []store.Range{rest, beyond}
}
