package engine

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"carillon/internal/job"
	"carillon/internal/store"
)

// A partition is a fixed share of the keys: a machine, and the loop that turns it. The goroutine of run owns the
// machine; the inbox and the present commit are for anyone.
type partition struct {
	id      int
	store   store.Store
	deliver Deliverer
	log     *slog.Logger
	machine *machine
	inbox   *inbox
	metrics *metrics
	pulse   pulse
	commit  atomic.Pointer[commit] // the one under way; nil between two turns
}

// A commit is under way: what it writes can be seen in the store, but may not survive a power cut yet.
type commit struct {
	keys  map[job.Key]struct{}
	ended chan struct{}
	err   error // how it ended
}

func newPartition(id int, cfg Config, s store.Store, d Deliverer, log *slog.Logger, m *metrics) *partition {
	return &partition{
		id: id, store: s, deliver: d, log: log.With(slog.Int("partition", id)),
		machine: newMachine(id), inbox: newInbox(cfg.Inbox), metrics: m, pulse: pulse{start: time.Now()},
	}
}

// The wait before a partition is loaded afresh doubles from the first to the second.
const (
	minBackoff = 100 * time.Millisecond
	maxBackoff = 5 * time.Second
)

// run turns the machine until ctx ends. After an error of the store nobody knows what was applied, so the machine
// forgets what it knew and learns it afresh; other partitions go on meanwhile.
func (p *partition) run(ctx context.Context) {
	defer p.inbox.close()
	steady := context.WithoutCancel(ctx) // a turn that has begun is brought to its end
	for wait := minBackoff; ctx.Err() == nil; wait = min(2*wait, maxBackoff) {
		err := p.load(steady)
		if err == nil {
			wait = minBackoff
			p.pulse.loaded.Store(true)
			err = p.turns(ctx, steady)
			p.pulse.loaded.Store(false)
		}
		if err == nil {
			return
		}
		p.log.LogAttrs(ctx, slog.LevelError, "the partition will be loaded afresh",
			slog.Any("err", err), slog.Duration("after", wait))
		pause(ctx, wait)
	}
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// load reads the front of every lane of the index.
func (p *partition) load(ctx context.Context) error {
	const page = 8 * minWindow
	p.machine.forget()
	for rest := dueRange(p.id); ; {
		read, err := p.scan(ctx, rest, page)
		if err != nil {
			return fmt.Errorf("load partition %d: %w", p.id, err)
		}
		full := len(read) == page
		for len(read) > 0 {
			target, n := read[0].key.Target, 1
			for n < len(read) && read[n].key.Target == target {
				n++
			}
			p.machine.learn(read[:n], full && n == len(read))
			rest.From = laneRange(p.id, target).To
			read = read[n:]
		}
		if !full {
			return nil
		}
	}
}

// scan reads up to limit entries of the index.
func (p *partition) scan(ctx context.Context, r store.Range, limit int) ([]entry, error) {
	var read []entry
	for pair, err := range p.store.Scan(ctx, r, limit) {
		if err != nil {
			return nil, err
		}
		e, err := parseDue(pair.Key)
		if err != nil {
			return nil, err
		}
		read = append(read, e)
	}
	return read, nil
}

// turns has a turn whenever there is something to do. When ctx ends it has a last one, which settles what has been
// delivered, so that it is not delivered again, but fires nothing more.
func (p *partition) turns(ctx, steady context.Context) error {
	writes, bytes := p.store.MaxBatch()
	limit := limits{most: max(1, min(maxCommands, writes/writesPerJob)), bytes: bytes / 2, fires: maxFires}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		p.pulse.begin()
		if err := p.turn(steady, time.Now().UTC(), limit); err != nil {
			return err
		}
		if p.inbox.busy() {
			continue
		}
		at, ok := p.machine.next()
		p.pulse.end(at, ok)
		if ok {
			timer.Reset(time.Until(at))
		} else {
			timer.Stop()
		}
		select {
		case <-p.inbox.wake:
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	limit.fires = 0
	return p.turn(steady, time.Now().UTC(), limit)
}

// What one turn takes on at most.
type limits struct {
	most  int // commands and outcomes
	bytes int // of the commands
	fires int // triggers
}

const (
	maxCommands  = 512
	maxFires     = 256
	writesPerJob = 5 // at most, by one command or outcome
)

// turn takes what the inbox holds and what is due, reads what that needs, decides, commits, and only then tells
// anybody. An error means that the machine is not to be trusted any more.
func (p *partition) turn(ctx context.Context, now time.Time, limit limits) error {
	m, w := p.machine, p.inbox.take(limit.most, limit.bytes)
	for _, r := range w.rooms {
		m.room(r.target, r.n)
	}
	picked := m.pick(now, limit.fires)
	records, err := p.read(ctx, picked, w.commands)
	if err == nil {
		err = p.refill(ctx, m.thirsty())
	}
	if err != nil {
		return p.fail(w, nil, fmt.Errorf("read for partition %d: %w", p.id, err))
	}

	fired := p.fire(ctx, picked, records)
	for _, o := range w.outcomes {
		p.settle(o)
	}
	replies := make([]error, len(w.commands))
	for i, c := range w.commands {
		replies[i] = c.decide(m, records[len(picked)+i])
	}

	if err := p.apply(ctx, w); err != nil {
		return p.fail(w, fired, fmt.Errorf("commit partition %d: %w", p.id, err))
	}
	for i, c := range w.commands {
		p.inbox.reply(c, replies[i])
	}
	for _, d := range fired {
		p.release(d)
	}
	for _, look := range w.looks {
		look(m, now)
	}
	return nil
}

// fail tells the callers of a turn that its end is not known, and takes back what it fired. It returns err.
func (p *partition) fail(w work, fired []*delivery, err error) error {
	for _, c := range w.commands {
		p.inbox.reply(c, fmt.Errorf("%w: %w", job.ErrUnavailable, err))
	}
	for _, d := range fired {
		delete(p.machine.out, d.entry.key)
	}
	return err
}

// read returns the records of the picked entries, and then those that the commands concern.
func (p *partition) read(ctx context.Context, picked []entry, commands []*command) ([]record, error) {
	if len(picked)+len(commands) == 0 {
		return nil, nil
	}
	jobs := make([]job.Key, 0, len(picked)+len(commands))
	for _, e := range picked {
		jobs = append(jobs, e.key)
	}
	for _, c := range commands {
		jobs = append(jobs, c.key)
	}
	keys := make([][]byte, 0, 2*len(jobs))
	for _, k := range jobs {
		keys = append(keys, jobKey(k), stateKey(k))
	}
	values, err := p.store.Get(ctx, keys...)
	if err != nil {
		return nil, err
	}
	records := make([]record, len(jobs))
	for i, k := range jobs {
		records[i] = decodeRecord(k, values[2*i], values[2*i+1])
	}
	return records, nil
}

// refill reads on in the index for each of the lanes.
func (p *partition) refill(ctx context.Context, dry []*lane) error {
	for _, l := range dry {
		most := l.grow()
		read, err := p.scan(ctx, after(p.id, l.cursor), most)
		if err != nil {
			return err
		}
		p.machine.water(l, read, len(read) == most)
	}
	return nil
}

// fire makes deliveries of the picked entries.
func (p *partition) fire(ctx context.Context, picked []entry, records []record) []*delivery {
	fired := make([]*delivery, 0, len(picked))
	for i, e := range picked {
		attrs := []slog.Attr{slog.String("job", e.key.String()), slog.Time("due", e.due)}
		if err := records[i].broken; err != nil {
			p.log.LogAttrs(ctx, slog.LevelError, "a due job cannot be read and will not fire; schedule it again",
				append(attrs, slog.Any("err", err))...)
		} else if d := p.machine.fire(e, records[i]); d != nil {
			fired = append(fired, d)
		} else {
			p.log.LogAttrs(ctx, slog.LevelError, "removed an entry of the due index that no job stands behind", attrs...)
		}
	}
	return fired
}

// settle records an outcome.
func (p *partition) settle(o outcome) {
	p.metrics.deliveries[o.outcome].Inc()
	if again := p.machine.settle(o.key, o.number, o.outcome); again {
		p.metrics.redelivered.Inc()
	}
}

// apply commits what the machine has decided. While it lasts, settled makes readers of these keys wait.
func (p *partition) apply(ctx context.Context, w work) error {
	b := &p.machine.batch
	if len(b.Writes) == 0 {
		return nil
	}
	c := &commit{keys: w.keys, ended: make(chan struct{})}
	p.commit.Store(c)
	begin := time.Now()
	c.err = p.store.Commit(ctx, b)
	p.metrics.commit.Observe(time.Since(begin).Seconds())
	p.metrics.group.Observe(float64(len(w.commands) + len(w.outcomes)))
	p.commit.Store(nil)
	close(c.ended)
	b.Reset()
	return c.err
}

// settled waits until what has been read of k from the store, or of any job if k is nil, would survive a power cut. It
// reports whether it would; otherwise it is to be read again.
func (p *partition) settled(ctx context.Context, k *job.Key) (bool, error) {
	c := p.commit.Load()
	if c == nil {
		return true, nil
	}
	if k != nil {
		if _, concerned := c.keys[*k]; !concerned {
			return true, nil
		}
	}
	select {
	case <-c.ended:
		return c.err == nil, nil
	case <-ctx.Done():
		return false, ctx.Err()
	}
}

// release hands a delivery to the deliverer, unless its job was removed in the turn that fired it.
func (p *partition) release(d *delivery) {
	m, k := p.machine, d.entry.key
	if l := m.lanes[k.Target]; d.replaced || l != nil && l.place == parked {
		m.end(d)
		return
	}
	spec := d.record.spec
	t := job.Trigger{
		Key: k, AppID: spec.AppID, ConcurrencyKey: spec.ConcurrencyKey, Data: spec.Data,
		Due: d.due, Attempt: d.record.state.Attempts,
	}
	done := func(o job.Outcome) { p.inbox.settle(outcome{k, d.number, o}) }
	more := func(n int) { p.inbox.room(room{k.Target, n}) }
	if !p.deliver.Deliver(t, done, more) {
		m.refuse(d)
		return
	}
	p.metrics.lateness.Observe(time.Since(d.entry.due).Seconds())
}
