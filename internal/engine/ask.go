package engine

import (
	"context"
	"time"
)

// turnWait is how long a question waits for the turn of a loop.
const turnWait = time.Second

// ask has the loop call f at the end of its next turn, and returns what f returns. ok is false if
// the loop has no turn within turnWait. f must not change the loop; it may be called again after an
// answer.
func ask[A any](ctx context.Context, lp *loop, f func(now time.Time) A) (a A, ok bool, err error) {
	answer := make(chan A, 1)
	timeout := time.NewTimer(turnWait)
	defer timeout.Stop()
	const again = 100 * time.Millisecond // the inbox drops what is too much, and a turn may fail
	retry := time.NewTicker(again)
	defer retry.Stop()
	for {
		lp.inbox.inspect(func(now time.Time) {
			select {
			case answer <- f(now):
			default: // an earlier call has answered
			}
		})
		select {
		case a = <-answer:
			return a, true, nil
		case <-retry.C:
		case <-timeout.C:
			return a, false, nil
		case <-ctx.Done():
			return a, false, ctx.Err()
		}
	}
}
