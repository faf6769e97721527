package pebblestore

import (
	"bytes"
	"context"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"carillon/internal/pause"
)

const (
	reclaimInterval = time.Second
	// reclaimBytes is about how much of the bottom level one compaction rewrites. It is half of the
	// largest reserve, which the disk must have free for that.
	reclaimBytes = 64 << 20
	// reclaimShare limits compactions to a tenth of the time: a disk may stay full for long because
	// of the files of others, while outcomes leave something to reclaim every second.
	reclaimShare = 10
)

// reclaimWhileFull frees the space of deleted records whenever the disk is full, until ctx ends.
// Pebble does so only in the course of other writes, and a full store may get none.
func (s *Store) reclaimWhileFull(ctx context.Context) {
	var from []byte
	rest := reclaimInterval
	for pause.For(ctx, rest) {
		began := time.Now()
		if s.Full() != nil {
			from = s.reclaim(ctx, from)
		}
		rest = max(reclaimInterval, (reclaimShare-1)*time.Since(began))
	}
}

// reclaim compacts a range of keys with deletions, the first at or after the key from, and returns
// where the next one may begin; nil means at the first key. Errors are of the disk, and known, or of ctx.
func (s *Store) reclaim(ctx context.Context, from []byte) (next []byte) {
	if s.beginCall(ctx) != nil {
		return nil
	}
	defer s.calls.Done()
	flushed, err := s.db.AsyncFlush() // deletions in the memtable
	if err != nil {
		return nil
	}
	select {
	case <-flushed:
	case <-ctx.Done():
		return nil
	}
	levels, err := s.db.SSTables()
	if err != nil {
		return nil
	}
	r, found := rangeWithDeletions(levels, from)
	if !found {
		return nil
	}
	if s.db.Compact(ctx, r.Start, r.End, false) != nil {
		return nil
	}
	return r.End
}

// rangeWithDeletions returns the first range of keys at or after from in which a level above the
// bottom has deletions, with about reclaimBytes of the bottom level.
func rangeWithDeletions(levels [][]pebble.SSTableInfo, from []byte) (r pebble.KeyRange, found bool) {
	for _, tables := range levels[:bottomLevel] {
		for _, t := range tables {
			if t.TableStats.NumDeletions == 0 || bytes.Compare(t.Largest.UserKey, from) < 0 {
				continue
			}
			start := maxKey(t.Smallest.UserKey, from)
			if !found || bytes.Compare(start, r.Start) < 0 {
				r.Start = start
			}
			if end := after(t.Largest.UserKey); !found || bytes.Compare(end, r.End) > 0 {
				r.End = end
			}
			found = true
		}
	}
	var size uint64
	for _, t := range levels[bottomLevel] {
		if bytes.Compare(t.Largest.UserKey, r.Start) < 0 {
			continue
		}
		if size += t.Size; size >= reclaimBytes {
			if end := after(t.Largest.UserKey); bytes.Compare(end, r.End) < 0 {
				r.End = end
			}
			break
		}
	}
	return r, found
}

func maxKey(a, b []byte) []byte {
	if bytes.Compare(a, b) < 0 {
		return b
	}
	return a
}

// after returns the first key after key.
func after(key []byte) []byte { return append(bytes.Clone(key), 0) }
