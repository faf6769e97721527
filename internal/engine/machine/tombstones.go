package machine

import (
	"carillon/internal/engine/record"
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
