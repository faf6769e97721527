package engine

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"carillon/internal/engine/record"
	"carillon/internal/job"
	"carillon/internal/store"
)

// ErrNotOwner says that another node owns the job's partition, or none does. Nothing was done.
var ErrNotOwner = fmt.Errorf("another node owns the job's partition: %w", job.ErrUnavailable)

// A Claim is the right to own one partition. It is safe for concurrent use.
type Claim interface {
	// Fence makes this node the owner and returns the proof. Asked again, it returns another one, and what was written
	// with the one before and is still under way cannot be applied any more.
	Fence(ctx context.Context) (store.Fence, error)
	// Alive reports whether what was claimed is sure to be owned yet. It is quick.
	Alive() bool
}

// A sole is the claim of an engine that has its store to itself.
type sole struct{}

func (sole) Fence(ctx context.Context) (store.Fence, error) { return store.Fence{}, ctx.Err() }
func (sole) Alive() bool                                    { return true }

// handOver is how long a partition that is to be let go is kept for the outcomes of what is out. A delivery that takes
// longer is made again by the next owner.
const handOver = time.Second

// Own has the engine, which shares its store, keep a partition until ctx ends: it is claimed and read, its jobs are
// fired, and calls about them are carried out. When Own returns, nothing of it is under way any more but deliveries that
// have taken longer than a second since; calls about it get [ErrNotOwner] from then on. While Own runs, calls wait if
// the partition is not there. What keeps it away is logged, and tried again.
//
// It is called while Run runs, once at a time for each partition.
func (e *Engine) Own(ctx context.Context, partition int, c Claim) {
	select {
	case <-e.known:
		e.owner[partition].own(ctx, partition, c)
	case <-ctx.Done():
	}
}

func (lp *loop) own(ctx context.Context, partition int, c Claim) {
	lp.inbox.expect(partition)
	defer lp.inbox.disown(partition)
	for wait := minBackoff; ctx.Err() == nil; {
		select {
		case <-lp.inbox.ended:
			<-ctx.Done()
			return
		default:
		}
		err := lp.tenure(ctx, partition, c)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			wait = minBackoff
			continue
		}
		lp.log.LogAttrs(ctx, slog.LevelWarn, "a partition cannot be had; trying again",
			slog.Int("partition", partition), slog.Any("err", err), slog.Duration("after", wait))
		pause(ctx, wait)
		wait = min(2*wait, maxBackoff)
	}
}

// tenure keeps a partition once: until ctx ends, or the loop has lost it.
func (lp *loop) tenure(ctx context.Context, partition int, c Claim) error {
	fence, err := c.Fence(ctx)
	if err != nil {
		return err
	}
	// Nobody else writes the partition now, this loop included: it can be read beside its turns.
	fronts, err := lp.fronts(ctx, partition)
	if err != nil {
		return fmt.Errorf("load partition %d: %w", partition, err)
	}
	t := &tenure{partition: partition, fence: fence, claim: c, fronts: fronts, over: make(chan struct{})}
	lp.inbox.enter(t)
	select {
	case <-t.over:
	case <-ctx.Done():
		lp.inbox.leave(t)
		<-t.over
	}
	return nil
}

// A tenure is the time for which a loop has a partition. What changes belongs to the loop.
type tenure struct {
	partition int
	fence     store.Fence
	claim     Claim
	fronts    []front
	until     time.Duration // of the loop's elapsed time, when what is out is not waited for any more; zero unless it is to end
	over      chan struct{} // closed when the loop has let go of the partition, or has lost it
}

// A front is the beginning of a lane in the index.
type front struct {
	entries []record.Entry
	more    bool // follow
}

// move begins and ends tenures, as asked.
func (lp *loop) move(moves []move) {
	for _, v := range moves {
		t := v.tenure
		if !v.leave {
			lp.tenures[t.partition] = t
			lp.machine.own(t.partition, t.fence)
			for _, f := range t.fronts {
				lp.machine.learn(f.entries, f.more)
			}
			t.fronts = nil
			lp.progress = true
			lp.inbox.hold(t.partition)
		} else if lp.tenures[t.partition] == t {
			lp.machine.quit(t.partition)
			t.until = lp.elapsed() + handOver
		}
	}
}

// letGo ends the tenures that are to end and have nothing out, or cannot wait for it.
func (lp *loop) letGo() {
	out := map[int]int{}
	if lp.leaving() {
		for _, d := range lp.machine.out {
			if !d.replaced {
				out[d.entry.Partition]++
			}
		}
	}
	now := lp.elapsed()
	for p, t := range lp.tenures {
		if t.until == 0 || out[p] > 0 && now < t.until {
			continue
		}
		lp.metrics.redelivered.Add(float64(out[p]))
		lp.machine.disown(p)
		delete(lp.tenures, p)
		close(t.over)
	}
}

func (lp *loop) leaving() bool {
	for _, t := range lp.tenures {
		if t.until != 0 {
			return true
		}
	}
	return false
}

// lose ends all tenures, because the machine is not to be trusted any more.
func (lp *loop) lose() {
	lp.metrics.redelivered.Add(float64(lp.machine.forget()))
	lp.withdraw()
	lp.reconsider() // they end what is out, and are not believed any more
	for p, t := range lp.tenures {
		lp.inbox.lost(p)
		delete(lp.tenures, p)
		close(t.over)
	}
}

// next returns how long there is nothing to do, and when a job is due then; the zero time if it is something else that is
// to be done. ok is false if there is nothing to wait for.
func (lp *loop) next() (sleep time.Duration, due time.Time, ok bool) {
	if due, ok = lp.machine.next(); ok && lp.strain.idle() {
		due, ok = time.Time{}, false
	}
	if ok {
		sleep = min(due.Sub(lp.wall()), maxSleep)
	}
	now := lp.elapsed()
	wake := func(at time.Duration) {
		if !ok || at-now < sleep {
			sleep, due, ok = at-now, time.Time{}, true
		}
	}
	if len(lp.strain.kept) > 0 {
		wake(lp.strain.until)
	}
	for _, t := range lp.tenures {
		if t.until != 0 {
			wake(t.until)
		}
	}
	return sleep, due, ok
}

// fronts reads the beginning of every lane of a partition.
func (lp *loop) fronts(ctx context.Context, partition int) ([]front, error) {
	const page = 2 * minWindow
	var all []front
	for rest := record.PartitionRange(partition); ; {
		read, err := lp.scan(ctx, rest, page)
		if err != nil {
			return nil, err
		}
		full := len(read) == page
		for len(read) > 0 {
			lane, n := read[0].Lane(), 1
			for n < len(read) && read[n].Lane() == lane {
				n++
			}
			all = append(all, front{read[:n:n], full && n == len(read)})
			rest.From = record.LaneRange(lane).To
			read = read[n:]
		}
		if !full {
			return all, nil
		}
	}
}
