package engine

import (
	"slices"
	"time"
)

// A hold is what an inbox knows of a partition: whether its loop can carry out commands about it.
type hold uint8

const (
	unknown hold = iota // nobody has said anything about it yet: commands wait
	coming              // it is being claimed and read: commands wait
	held
	gone // it is another node's: commands are refused
)

// A holding is where a partition stands, since when.
type holding struct {
	hold  hold
	since time.Time // zero before it has ever been held
}

// A move is the beginning or the end of a tenure.
type move struct {
	tenure *tenure
	leave  bool
}

// enter has the loop begin t. If it has ended, t is over.
func (i *inbox) enter(t *tenure) {
	i.add(func() {
		if i.closed {
			close(t.over)
		} else {
			i.moves = append(i.moves, move{tenure: t})
		}
	})
}

// leave has the loop end t. From now on commands about its partition are refused.
func (i *inbox) leave(t *tenure) {
	i.disown(t.partition)
	i.add(func() {
		begin := slices.Index(i.moves, move{tenure: t})
		switch {
		case begin >= 0: // it has not even begun
			i.moves = slices.Delete(i.moves, begin, begin+1)
			close(t.over)
		case !i.closed:
			i.moves = append(i.moves, move{tenure: t, leave: true})
		}
	})
}

// expect says that a partition is about to come.
func (i *inbox) expect(partition int) { i.turn(partition, coming, unknown, gone) }

// hold says that the loop has a partition, unless it was to go meanwhile.
func (i *inbox) hold(partition int) { i.turn(partition, held, coming) }

// lost says that the loop has a partition no more, and that it will come again, unless it was to go.
func (i *inbox) lost(partition int) { i.turn(partition, coming, held) }

// disown says that a partition is another node's.
func (i *inbox) disown(partition int) { i.turn(partition, gone, unknown, coming, held) }

// turn notes that a partition stands there now, if it stood at one of from, and sorts what waits for it.
func (i *inbox) turn(partition int, to hold, from ...hold) {
	i.add(func() {
		was := i.holdings[partition].hold
		if !slices.Contains(from, was) {
			return
		}
		now := holding{hold: to}
		if was != unknown {
			now.since = time.Now()
		}
		i.holdings[partition] = now
		i.sort()
	})
}

// sort puts each command that waits where it belongs now. It is called with mu held.
func (i *inbox) sort() {
	waiting := append(i.early, i.commands.Drain()...)
	i.early = nil
	for _, c := range waiting {
		i.enqueue(c)
	}
}

// enqueue puts c where it waits, or refuses it. It is called with mu held.
func (i *inbox) enqueue(c *command) {
	switch h := i.holdings[c.partition].hold; {
	case i.closed:
		i.reply(c, errStopping)
	case h == held:
		if c.posted == 0 {
			c.posted = i.turns
		}
		i.commands.Push(c.key.Target, c)
	case h == gone:
		i.reply(c, ErrNotOwner)
	default:
		i.early = append(i.early, c)
	}
}

// holds reports whether the loop has the partition.
func (i *inbox) holds(partition int) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.holdings[partition].hold == held
}

// missing returns which of the partitions have been about to come for longer than that, or have never been here.
func (i *inbox) missing(partitions []int, than time.Duration) []int {
	i.mu.Lock()
	defer i.mu.Unlock()
	var all []int
	for _, p := range partitions {
		if h := i.holdings[p]; h.hold == coming && (h.since.IsZero() || time.Since(h.since) > than) {
			all = append(all, p)
		}
	}
	return all
}
