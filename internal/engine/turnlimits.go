package engine

// A caller waits at least until the next turn, so turns are short: a few milliseconds. Longer ones
// would save little, because a commit of hundreds costs hardly more for each than one of thousands.
const (
	maxFires         = 128
	maxFiresInCommit = 64
)

// turnLimits is the most that one turn takes.
type turnLimits struct {
	work          int // commands and outcomes
	bytes         int // of the commands
	fires         int // triggers before the commit
	firesInCommit int // triggers at a time while the commit is in progress
}

// turnLimits returns the limits within which the store can carry the commit of a turn.
func (lp *loop) turnLimits() turnLimits {
	writes, bytes := lp.store.MaxBatch()
	bytes /= 2
	if lp.maxWorkBytes > 0 {
		bytes = min(bytes, lp.maxWorkBytes)
	}
	return turnLimits{
		work: max(1, min(lp.maxWork, writes/writesPerJob)), bytes: bytes,
		fires: min(maxFires, lp.maxWork), firesInCommit: min(maxFiresInCommit, max(1, lp.maxWork/2)),
	}
}
