package pebblestore

import (
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// reserve is how many bytes of the disk are kept for what must go on when it is nearly full: outcomes and deletions, and
// the tables that compactions write before they can remove others.
const reserve = 128 << 20

// room watches how much the disk has left. It asks once a second at most, and only when it is asked.
type room struct {
	fs  vfs.FS
	dir string
	log *slog.Logger

	next atomic.Int64 // when to ask again, in Unix nanoseconds
	full atomic.Bool
}

// Full reports whether the disk has so little left that nothing new should be stored. It is so until a quarter more than
// that is free. A file system that cannot say what is free is never full.
func (s *Store) Full() bool {
	r := &s.room
	now, next := time.Now().UnixNano(), r.next.Load()
	if now >= next && r.next.CompareAndSwap(next, now+int64(time.Second)) {
		r.look()
	}
	return r.full.Load()
}

func (r *room) look() {
	usage, err := r.fs.GetDiskUsage(r.dir)
	if err != nil {
		return
	}
	free := slog.Uint64("free_bytes", usage.AvailBytes)
	switch was := r.full.Load(); {
	case !was && usage.AvailBytes < reserve:
		r.full.Store(true)
		r.log.Warn("the disk is full: new jobs are refused", free)
	case was && usage.AvailBytes >= reserve+reserve/4:
		r.full.Store(false)
		r.log.Info("the disk has room again: new jobs are accepted", free)
	}
}
