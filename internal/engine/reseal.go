package engine

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"time"

	"carillon/internal/engine/record"
	"carillon/internal/job"
	"carillon/internal/store"
)

// This file seals anew, with the key that seals now, what another key has sealed or none has, so that keys can be retired.
//
// It walks over all jobs page by page, beside everything else, and has those of this engine's partitions written again by
// their loops, as if somebody scheduled them. It takes a fifth of the time at most. A walk that is interrupted begins
// afresh, and passes over what is done. When one has found nothing to do, the store remembers that, and there is no other
// until another key seals.

const (
	resealPage  = 500
	resealShare = 4           // times as long as a page took nothing is done
	resealAgain = time.Minute // after a walk that has left something: other nodes may not have done their part
	resealRest  = 20          // times as long as that walk took, if that is longer
)

// Sealed returns how many jobs in a store are sealed with each key, by its id, and, under "", how many are not. Keys that
// the store remembers and no job needs have none.
func Sealed(ctx context.Context, s store.Store) (map[string]int64, error) {
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

// eachJob calls f with the records of all jobs, page by page, and rests after each for so many times as long as it took.
// What it hands out is good until f returns.
func eachJob(ctx context.Context, s store.Store, rest int, f func([]store.Pair) error) error {
	for left := record.JobRange(); ; {
		begun := time.Now()
		page := make([]store.Pair, 0, resealPage)
		for pair, err := range s.Scan(ctx, left, resealPage) {
			if err != nil {
				return fmt.Errorf("read the jobs: %w", err)
			}
			page = append(page, store.Pair{Key: bytes.Clone(pair.Key), Value: bytes.Clone(pair.Value)})
		}
		if err := f(page); err != nil || len(page) < resealPage {
			return err
		}
		left.From = append(page[len(page)-1].Key, 0)
		if rest > 0 {
			pause(ctx, time.Duration(rest)*time.Since(begun))
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// resealAll seals anew what is to be, whenever the key changes, until ctx ends.
func (e *Engine) resealAll(ctx context.Context) {
	for walked := ""; ctx.Err() == nil; {
		current := e.config.Keys.Current()
		if walked == current || walked == "" && e.allSealedWith(ctx, current) {
			walked = current
			pause(ctx, keyPeriod)
			continue
		}
		begun := time.Now()
		counts, err := e.walk(ctx, current)
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
			if err := e.rememberAll(ctx, current); err == nil {
				walked = current
				e.log.InfoContext(ctx, "all jobs are sealed with one key", slog.String("key", current))
				continue
			}
		}
		pause(ctx, max(resealAgain, resealRest*time.Since(begun)))
	}
}

// allSealedWith reports whether the store remembers that a key has sealed all jobs, and that no other has been used since.
func (e *Engine) allSealedWith(ctx context.Context, id string) bool {
	values, err := e.raw.Get(ctx, record.EncryptionKey(""))
	return err == nil && string(values[0]) == id
}

// rememberAll has the store remember that a key has sealed all jobs.
func (e *Engine) rememberAll(ctx context.Context, id string) error {
	var b store.Batch
	b.Put(record.EncryptionKey(""), []byte(id))
	return e.raw.Commit(ctx, &b)
}

// walk seals anew what is to be, and returns how many jobs each key has sealed afterwards. Those of other nodes are left to
// them.
func (e *Engine) walk(ctx context.Context, current string) (map[string]int64, error) {
	counts := map[string]int64{}
	err := eachJob(ctx, e.raw, resealShare, func(page []store.Pair) error {
		var keys []job.Key
		var old []store.Pair
		for _, pair := range page {
			id := record.SealedWith(pair.Value)
			k, err := record.ParseJobKey(pair.Key)
			if err != nil {
				e.aside.report(ctx, pair.Key, len(pair.Value), err)
			}
			if id == current || err != nil || e.full() != nil || e.config.Shared && !e.holds(k) {
				counts[id]++
				continue
			}
			keys, old = append(keys, k), append(old, pair)
		}
		for i, err := range e.sealAgain(ctx, keys, old) {
			if err != nil { // another node's, or one that cannot be read
				counts[record.SealedWith(old[i].Value)]++
			} else {
				counts[current]++
			}
		}
		return ctx.Err()
	})
	if err == nil {
		e.metrics.showSealed(counts)
	}
	return counts, err
}

// holds reports whether this engine keeps the partition of k.
func (e *Engine) holds(k job.Key) bool {
	p := e.Partition(k)
	return e.owner[p].inbox.holds(p)
}

// sealAgain has jobs written again, whose records are old, and returns their errors.
func (e *Engine) sealAgain(ctx context.Context, keys []job.Key, old []store.Pair) []error {
	g := newGroup(len(keys))
	posts := map[*loop][]*command{}
	for i, k := range keys {
		p := e.Partition(k)
		posts[e.owner[p]] = append(posts[e.owner[p]], &command{
			key: k, partition: p, bytes: len(old[i].Key) + len(old[i].Value), stores: true, rewrites: true, group: g, index: i,
			decide: func(m *machine, r stored) error { return m.sealAgain(k, r) },
		})
	}
	for lp, commands := range posts {
		lp.inbox.postAll(ctx, commands)
	}
	return g.wait(ctx)
}

// sealAgain writes what r holds once more, as it is.
func (m *machine) sealAgain(k job.Key, r stored) error {
	if r.Spec == nil { // it has gone, or cannot be read
		return r.Err
	}
	m.touch(record.PartitionOf(k, m.partitions))
	m.batch.Put(record.JobKey(k), record.EncodeSpec(k, r.Spec))
	return nil
}

// forgetKey has the store forget a key that the file of keys has not, if no job is sealed with it. Otherwise it returns
// why not.
func (e *Engine) forgetKey(ctx context.Context, id string) error {
	counts, err := Sealed(ctx, e.raw)
	if err != nil {
		return err
	}
	if n := counts[id]; n > 0 {
		return &formatError{fmt.Sprintf("the store has jobs that are sealed with the key %q, %d of them, which the key file has not: put it back", id, n)}
	}
	var b store.Batch
	b.Delete(record.EncryptionKey(id))
	b.Delete(record.EncryptionCheckKey(id))
	if err := e.raw.Commit(ctx, &b); err != nil {
		return fmt.Errorf("forget the key %q: %w", id, err)
	}
	e.log.InfoContext(ctx, "a key is forgotten that no job is sealed with", slog.String("key", id))
	return nil
}

// showSealed shows how many jobs are sealed with each key.
func (m *metrics) showSealed(counts map[string]int64) {
	m.sealed.Reset()
	for id, n := range counts {
		m.sealed.WithLabelValues(id).Set(float64(n))
	}
}
