package dispatch

import "carillon/internal/job"

// A triggerBudget limits a number of triggers, and their sizes together.
type triggerBudget struct {
	maxCount, maxBytes int
	count, bytes       int // in use
}

// fits reports whether a trigger of this size fits. A trigger that is alone always does.
func (b *triggerBudget) fits(bytes int) bool {
	return b.count == 0 || b.count < b.maxCount && b.bytes+bytes <= b.maxBytes
}

// remaining returns about how many more triggers fit, if they are as large as those that are there.
// It is 0 only if none fits.
func (b *triggerBudget) remaining() int {
	switch {
	case b.count == 0:
		return b.maxCount
	case b.count >= b.maxCount || b.bytes >= b.maxBytes:
		return 0
	case b.bytes == 0:
		return b.maxCount - b.count
	default:
		return max(1, min(b.maxCount-b.count, (b.maxBytes-b.bytes)/(1+b.bytes/b.count)))
	}
}

// acquire counts a trigger that fits.
func (b *triggerBudget) acquire(bytes int) {
	b.count++
	b.bytes += bytes
}

// release counts a trigger that has left.
func (b *triggerBudget) release(bytes int) {
	b.count--
	b.bytes -= bytes
}

// size returns how many bytes t counts towards the limits of [Config].
func size(t job.Trigger) int {
	n := len(t.Key.Target.Namespace) + len(t.Key.Target.Name) + len(t.Key.ActorID) + len(t.Key.Name) + len(t.AppID)
	if t.ConcurrencyKey != nil {
		n += len(*t.ConcurrencyKey)
	}
	if t.Data != nil {
		n += len(t.Data.TypeURL) + len(t.Data.Value)
	}
	return n
}
