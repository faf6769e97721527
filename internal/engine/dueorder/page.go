package dueorder

import (
	"context"

	"carillon/internal/engine/record"
	"carillon/internal/job"
)

// Page returns the first limit entries from a position on, of the targets that s selects, in due
// order, and whether more follow. It ignores the actor id and the name in s. Jobs that change
// meanwhile may be missing, or be there twice.
func (x *Index) Page(
	ctx context.Context, s job.Selector, from Cursor, limit int,
) (entries []record.Entry, more bool, err error) {
	r := &pageRead{Index: x, selector: s, from: from, skip: scanWork}
	r.mu.found.limit = limit + 1
	if x.Remote {
		r.skip = remoteSkip
	}
	if s.Namespace != "" && s.Target != "" {
		r.skip = 0 // each partition has one lane, behind which nothing is left to read
	}
	if err := r.readAll(ctx); err != nil {
		return nil, false, err
	}
	entries = r.mu.found.sorted()
	if len(entries) > limit {
		return entries[:limit], true, nil
	}
	return entries, false, nil
}
