package engine

import "time"

// degraded is the state of a loop whose store takes nothing but deletions.
type degraded struct {
	retryWait   time.Duration   // the last wait before a retry; zero if the store takes everything
	retryAt     time.Duration   // of the loop's elapsed time
	kept        []endedDelivery // that cannot be recorded yet
	backlogFull bool            // no more can be kept, so nothing fires
	full        func() error    // why the store is full, or nil; nil if the store does not say
}

// deletionsOnly reports whether only deletions may be tried now.
func (d *degraded) deletionsOnly(now time.Duration) bool {
	return now < d.retryAt && (d.full == nil || d.full() != nil)
}

// paused reports whether nothing fires before the store is tried again, whatever is due.
func (d *degraded) paused() bool { return d.backlogFull && len(d.kept) > 0 }
