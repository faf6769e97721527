package engine

import (
	"time"

	"carillon/internal/store"
)

// A gap lies between two entries of a lane, with none between them in the index. Where a million jobs were deleted a
// store steps over the marks of them all, so a lane remembers one gap, and does not read there again: without that, a
// lane whose cursor moves back before them, as it does when more jobs come than its window holds, would read there after
// every such batch. What lies in a gap is known from the store as of the last commit, and whatever enters the index
// passes through insert.
type gap struct{ from, to entry }

func (g *gap) holds(e entry) bool {
	return g != nil && g.from.compare(e) < 0 && e.compare(g.to) < 0
}

// ahead reports whether g ends behind e.
func (g *gap) ahead(e entry) bool { return g != nil && e.compare(g.to) < 0 }

// see looks for a gap in what was read from behind the cursor.
func (l *lane) see(read []entry) {
	longest := time.Duration(0)
	if l.gap.ahead(l.cursor) {
		longest = l.gap.to.due.Sub(l.gap.from.due)
	} else {
		l.gap = nil
	}
	before := l.cursor
	for _, e := range read {
		if d := e.due.Sub(before.due); d > longest {
			l.gap, longest = &gap{before, e}, d
		}
		before = e
	}
}

// unread is what of the index lies behind the cursor, but for the gap.
func (l *lane) unread() []store.Range {
	rest := after(l.cursor)
	if !l.gap.ahead(l.cursor) {
		return []store.Range{rest}
	}
	beyond := store.Range{From: dueKey(l.gap.to), To: rest.To}
	if l.gap.from.compare(l.cursor) <= 0 {
		return []store.Range{beyond}
	}
	rest.To = after(l.gap.from).From
	return []store.Range{rest, beyond}
}
