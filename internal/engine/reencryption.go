package engine

import (
	"context"
	"log/slog"
	"time"

	"carillon/internal/engine/machine"
	"carillon/internal/engine/record"
	"carillon/internal/engine/storemeta"
	"carillon/internal/job"
	"carillon/internal/pause"
	"carillon/internal/store"
)

// When another key seals, the engine seals all jobs again in the background, so that the old key
// can be retired. It reads the jobs page by page, and has the loops rewrite those of its own
// partitions, as if they were scheduled again. That takes a fifth of the time at most. A walk that
// is interrupted starts again and skips what is done. After a walk that has found nothing to do,
// the store remembers the key, and there is no other walk until another key seals.

const (
	reencryptRest      = 4           // pause after a page, in multiples of the time that the page took
	reencryptRetry     = time.Minute // pause after a walk that has left jobs: other nodes may not be done
	reencryptRetryRest = 20          // or in multiples of the time that the walk took, if that is longer
)

// runReencryption seals all jobs again whenever the key changes, until ctx ends.
func (e *Engine) runReencryption(ctx context.Context) {
	for walked := ""; ctx.Err() == nil; {
		current := e.config.Keys.Current()
		if walked == current || walked == "" && e.keyRegister.IsSole(ctx, current) {
			walked = current
			pause.For(ctx, storemeta.KeyPeriod)
			continue
		}
		begun := time.Now()
		counts, err := e.reencryptJobs(ctx, current)
		left := int64(0)
		for id, n := range counts {
			if id != current {
				left += n
			}
		}
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			e.log.WarnContext(ctx, "jobs that another key has sealed cannot be sealed anew; it is tried again", slog.Any("err", err))
		case left == 0:
			if err := e.keyRegister.RememberSole(ctx, current); err == nil {
				walked = current
				e.log.InfoContext(ctx, "all jobs are sealed with one key", slog.String("key", current))
				continue
			}
		}
		pause.For(ctx, max(reencryptRetry, reencryptRetryRest*time.Since(begun)))
	}
}

// reencryptJobs has the jobs of this node sealed with the current key, and returns how many jobs
// each key seals afterwards.
func (e *Engine) reencryptJobs(ctx context.Context, current string) (map[string]int64, error) {
	counts := map[string]int64{}
	err := storemeta.EachJob(ctx, e.rawStore, reencryptRest, func(page []store.Pair) error {
		var keys []job.Key
		var old []store.Pair
		for _, pair := range page {
			id := record.SealedWith(pair.Value)
			k, err := record.ParseJobKey(pair.Key)
			if err != nil {
				e.quarantine.Report(ctx, pair.Key, len(pair.Value), err)
			}
			if id == current || err != nil || e.storeFull() != nil || e.config.Shared && !e.IsOwner(e.Partition(k)) {
				counts[id]++
				continue
			}
			keys, old = append(keys, k), append(old, pair)
		}
		for i, err := range e.rewriteJobs(ctx, keys, old) {
			if err != nil { // another node's job, or one that cannot be read
				counts[record.SealedWith(old[i].Value)]++
			} else {
				counts[current]++
			}
		}
		return ctx.Err()
	})
	if err == nil {
		e.metrics.setSealedJobs(counts)
	}
	return counts, err
}

// rewriteJobs has jobs written again, whose stored specs are old, and returns their errors.
func (e *Engine) rewriteJobs(ctx context.Context, keys []job.Key, old []store.Pair) []error {
	g := newGroup(len(keys))
	posts := map[*loop][]*command{}
	for i, k := range keys {
		p := e.Partition(k)
		posts[e.loopOf[p]] = append(posts[e.loopOf[p]], &command{
			key: k, partition: p, bytes: len(old[i].Key) + len(old[i].Value), addsData: true, needsPayload: true, group: g, index: i,
			decide: func(m *machine.Machine, old machine.Stored) error { return m.Rewrite(k, old) },
		})
	}
	for lp, commands := range posts {
		lp.inbox.postAll(ctx, commands)
	}
	return g.wait(ctx)
}
