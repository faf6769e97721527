package engine

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"time"

	"carillon/internal/engine/machine"
	"carillon/internal/engine/record"
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
	reencryptPage      = 500
	reencryptRest      = 4           // pause after a page, in multiples of the time that the page took
	reencryptRetry     = time.Minute // pause after a walk that has left jobs: other nodes may not be done
	reencryptRetryRest = 20          // or in multiples of the time that the walk took, if that is longer
)

// CountSealed returns how many jobs in a store are sealed with each key, by its id. Under "" it
// returns how many are not sealed. Keys that the store remembers and no job needs have 0.
func CountSealed(ctx context.Context, s store.Store) (map[string]int64, error) {
	counts := map[string]int64{}
	prefix := record.EncryptionKey("")
	for pair, err := range s.Scan(ctx, store.Prefix(prefix), 0) {
		if err != nil {
			return nil, fmt.Errorf("read which keys the store is sealed with: %w", err)
		}
		if id := string(pair.Key[len(prefix):]); id != "" {
			counts[id] = 0
		}
	}
	err := eachJob(ctx, s, 0, func(page []store.Pair) error {
		for _, pair := range page {
			counts[record.SealedWith(pair.Value)]++
		}
		return nil
	})
	return counts, err
}

// eachJob calls f with the specs of all jobs, page by page. After each page it pauses for rest
// times as long as the page took. A page is valid until f returns.
func eachJob(ctx context.Context, s store.Store, rest int, f func([]store.Pair) error) error {
	for left := record.JobRange(); ; {
		begun := time.Now()
		page := make([]store.Pair, 0, reencryptPage)
		for pair, err := range s.Scan(ctx, left, reencryptPage) {
			if err != nil {
				return fmt.Errorf("read the jobs: %w", err)
			}
			page = append(page, store.Pair{Key: bytes.Clone(pair.Key), Value: bytes.Clone(pair.Value)})
		}
		if err := f(page); err != nil || len(page) < reencryptPage {
			return err
		}
		left.From = append(page[len(page)-1].Key, 0)
		if rest > 0 {
			pause.For(ctx, time.Duration(rest)*time.Since(begun))
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// runReencryption seals all jobs again whenever the key changes, until ctx ends.
func (e *Engine) runReencryption(ctx context.Context) {
	for walked := ""; ctx.Err() == nil; {
		current := e.config.Keys.Current()
		if walked == current || walked == "" && e.isSoleKey(ctx, current) {
			walked = current
			pause.For(ctx, keyPeriod)
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
			if err := e.rememberSoleKey(ctx, current); err == nil {
				walked = current
				e.log.InfoContext(ctx, "all jobs are sealed with one key", slog.String("key", current))
				continue
			}
		}
		pause.For(ctx, max(reencryptRetry, reencryptRetryRest*time.Since(begun)))
	}
}

// isSoleKey reports whether the store remembers that a key seals all jobs. A newer key resets that.
func (e *Engine) isSoleKey(ctx context.Context, id string) bool {
	values, err := e.rawStore.Get(ctx, record.EncryptionKey(""))
	return err == nil && string(values[0]) == id
}

// rememberSoleKey has the store remember that a key seals all jobs.
func (e *Engine) rememberSoleKey(ctx context.Context, id string) error {
	var b store.Batch
	b.Put(record.EncryptionKey(""), []byte(id))
	return e.rawStore.Commit(ctx, &b)
}

// reencryptJobs has the jobs of this node sealed with the current key, and returns how many jobs
// each key seals afterwards.
func (e *Engine) reencryptJobs(ctx context.Context, current string) (map[string]int64, error) {
	counts := map[string]int64{}
	err := eachJob(ctx, e.rawStore, reencryptRest, func(page []store.Pair) error {
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

// forgetKey has the store forget a key that is not in the key file. If a job is sealed with it,
// that is an error.
func (e *Engine) forgetKey(ctx context.Context, id string) error {
	counts, err := CountSealed(ctx, e.rawStore)
	if err != nil {
		return err
	}
	if n := counts[id]; n > 0 {
		return &formatError{fmt.Sprintf("the store has jobs that are sealed with the key %q, %d of them, which the key file has not: put it back", id, n)}
	}
	var b store.Batch
	b.Delete(record.EncryptionKey(id))
	b.Delete(record.EncryptionCheckKey(id))
	if err := e.rawStore.Commit(ctx, &b); err != nil {
		return fmt.Errorf("forget the key %q: %w", id, err)
	}
	e.log.InfoContext(ctx, "a key is forgotten that no job is sealed with", slog.String("key", id))
	return nil
}
