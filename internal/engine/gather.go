package engine

import (
	"context"
	"time"
)

// A group is gathered for part of the time that the last commit took, step by step.
const (
	gatherSteps = 4
	gatherPart  = 8                    // a step takes this part of it,
	maxGather   = 5 * time.Millisecond // but no longer than this,
	minGather   = time.Millisecond
)

// A crowd is whom the last commit answered, and who waited then.
type crowd struct {
	took     time.Duration // the commit
	ended    time.Time     // it
	answered int
	most     int // are there when everybody has come back
}

// gather lets those whom the last commit answered come along with those who came meanwhile, since many callers ask again
// at once, and a commit that several nodes have to agree on is dear whatever is in it. It ends when they all are there,
// when nobody has come for a step, or when something else is to be done. Who comes alone, or later, is not kept waiting.
func (lp *loop) gather(ctx context.Context) {
	last := lp.last
	step := min(last.took/gatherPart, maxGather)
	if last.answered < 2 || step < minGather || time.Since(last.ended) >= gatherSteps*step {
		return
	}
	there, free := lp.inbox.gathered()
	for before := 0; free && before < there && there < last.most; {
		if due, waits := lp.next(); waits && due.Sub(lp.now()) < step || time.Since(last.ended) >= gatherSteps*step {
			return
		}
		pause(ctx, step)
		before = there
		there, free = lp.inbox.gathered()
	}
}

// gathered returns how many commands and outcomes wait, and whether nothing else does.
func (i *inbox) gathered() (n int, alone bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	return len(i.commands) + len(i.outcomes), len(i.rooms)+len(i.looks)+len(i.moves) == 0
}
