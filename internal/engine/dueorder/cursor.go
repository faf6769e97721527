package dueorder

import (
	"errors"

	"carillon/internal/engine/record"
)

// ErrCursor says that some bytes are not those of a cursor.
var ErrCursor = errors.New("malformed cursor of a page in due order")

// A Cursor is a position in due order: before an entry or behind it. The zero Cursor is the
// beginning. The entry need not exist.
type Cursor struct {
	entry  record.Entry
	behind bool
	set    bool // it is not the beginning
}

// Before returns the position before e: a page from there begins with e.
func Before(e record.Entry) Cursor { return Cursor{entry: e, set: true} }

// Behind returns the position behind e: a page from there begins with the entry that follows e.
func Behind(e record.Entry) Cursor { return Cursor{entry: e, behind: true, set: true} }

// Passed reports whether e lies in front of c, so that it is not on a page from there.
func (c Cursor) Passed(e record.Entry) bool {
	if !c.set {
		return false
	}
	order := e.CompareDue(c.entry)
	return order < 0 || order == 0 && c.behind
}

// The first byte of an encoded cursor. The key of the entry in the due index follows.
const (
	tagBefore = 0
	tagBehind = 1
)

// Bytes returns the encoding of c; nil for the beginning.
func (c Cursor) Bytes() []byte {
	if !c.set {
		return nil
	}
	tag := byte(tagBefore)
	if c.behind {
		tag = tagBehind
	}
	return append([]byte{tag}, record.DueKey(c.entry)...)
}

// ParseCursor is the inverse of Bytes. Its error is [ErrCursor].
func ParseCursor(b []byte) (Cursor, error) {
	if len(b) == 0 {
		return Cursor{}, nil
	}
	e, err := record.ParseDueKey(b[1:])
	if err != nil || b[0] > tagBehind {
		return Cursor{}, ErrCursor
	}
	return Cursor{entry: e, behind: b[0] == tagBehind, set: true}, nil
}

// inLane returns the key at which the entries of a lane begin that c has not passed.
func (c Cursor) inLane(id record.LaneID) []byte {
	if !c.set {
		return record.LaneRange(id).From
	}
	order := record.CompareTargets(id.Target, c.entry.Key.Target)
	if order != 0 {
		due := c.entry.Due
		if order < 0 { // its entries at this instant are in front of the cursor
			due = due.Add(1)
		}
		return record.LaneRangeFrom(id, due).From
	}
	e := c.entry
	e.Partition = id.Partition
	if c.behind {
		return record.RangeAfter(e).From
	}
	return record.DueKey(e)
}
