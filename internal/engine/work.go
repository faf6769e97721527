package engine

import (
	"context"
	"slices"
	"time"

	"carillon/internal/job"
)

// A work is what one turn takes from the inbox. No two parts of it are about the same job.
type work struct {
	commands    []*command
	outcomes    []endedDelivery
	capacities  []receiverCapacity
	inspections []func(now time.Time)
	changes     []ownershipChange
	keys        map[job.Key]struct{} // of the commands and outcomes, and perhaps of others
	turnsWaited int                  // the most turns that a command has waited, this one included
	hasMore     bool                 // commands or outcomes wait for a later turn
}

const (
	commandUnit  = 4 << 10 // most bytes of a command that counts as one
	outcomeBytes = 512     // of a batch, by an outcome, approximately
)

// take removes up to limit commands and outcomes of about so many bytes. Each kind has half of a
// turn while there is enough of it, and is divided fairly among targets. Of commands about one job
// it takes the first. An outcome of a job that a command is about is deferred, and goes first in
// the next turn.
func (i *inbox) take(limit, bytes int) work {
	i.mu.Lock()
	defer i.mu.Unlock()
	w := work{capacities: i.capacities, inspections: i.inspections, changes: i.changes}
	i.capacities, i.inspections, i.changes = nil, nil, nil
	if waiting := len(i.deferred) + i.outcomes.Len() + i.commands.Len(); waiting > 0 {
		w.keys = make(map[job.Key]struct{}, min(limit, waiting))
	}
	n := 0
	for ; n < len(i.deferred) && n < limit && (n == 0 || i.deferred[n].bytes() <= bytes); n++ {
		bytes -= w.addOutcome(i.deferred[n])
	}
	i.deferred = append([]endedDelivery(nil), i.deferred[n:]...)
	bytes -= i.takeCommands(&w, limit, bytes)
	i.takeOutcomes(&w, limit, bytes)
	i.turns++
	w.hasMore = len(i.deferred)+i.outcomes.Len()+i.commands.Len() > 0
	return w
}

// takeCommands takes commands, leaves capacity for outcomes, and returns how many bytes it has
// taken.
func (i *inbox) takeCommands(w *work, limit, bytes int) (taken int) {
	free := limit - len(w.outcomes)
	free -= min(free/2, i.outcomes.Len())
	freeBytes := bytes - min(bytes/2, i.outcomes.Len()*outcomeBytes)
	var skipped []*command
	for len(w.commands) < free && len(skipped) < limit && i.commands.Len() > 0 {
		target, c := i.commands.Pop()
		if c.abandoned() {
			i.reply(c, context.Canceled) // the caller does not wait for it
			continue
		}
		if _, taken := w.keys[c.key]; taken {
			i.commands.Charge(target, 1)
			skipped = append(skipped, c)
			continue
		}
		alone := len(w.commands) == 0 && (c.bytes <= bytes || len(w.outcomes) == 0)
		if taken+c.bytes > freeBytes && !alone {
			i.commands.PushFront(target, c)
			break
		}
		i.commands.Charge(target, 1+c.bytes/commandUnit)
		taken += c.bytes
		w.keys[c.key] = struct{}{}
		w.commands = append(w.commands, c)
		w.turnsWaited = max(w.turnsWaited, 1+i.turns-c.postedTurn)
	}
	for _, c := range slices.Backward(skipped) {
		i.commands.PushFront(c.key.Target, c)
	}
	return taken
}

// takeOutcomes takes outcomes, at least one if there is one.
func (i *inbox) takeOutcomes(w *work, limit, bytes int) {
	begun := len(w.outcomes)
	for len(w.outcomes)+len(w.commands) < limit && i.outcomes.Len() > 0 {
		target, o := i.outcomes.Pop()
		if _, taken := w.keys[o.key()]; taken {
			i.deferred = append(i.deferred, o)
			continue
		}
		if len(w.outcomes) > begun && o.bytes() > bytes {
			i.outcomes.PushFront(target, o)
			break
		}
		i.outcomes.Charge(target, 1)
		bytes -= w.addOutcome(o)
	}
}

// addOutcome adds o and returns how many bytes it takes.
func (w *work) addOutcome(o endedDelivery) int {
	w.keys[o.key()] = struct{}{}
	w.outcomes = append(w.outcomes, o)
	return o.bytes()
}

// bytes returns how much of a batch o takes at most.
func (o endedDelivery) bytes() int {
	const fixed = 64 // a State, and what keys have besides names
	k := &o.delivery.Attempt.Key
	return writesPerJob * (len(k.Target.Namespace) + len(k.Target.Name) + len(k.ActorID) + len(k.Name) + fixed)
}

// requeue puts the commands and outcomes of w back to the front of the inbox.
func (i *inbox) requeue(w work) {
	i.update(func() {
		for _, o := range slices.Backward(w.outcomes) {
			i.outcomes.PushFront(o.target(), o)
		}
		for _, c := range slices.Backward(w.commands) {
			i.commands.PushFront(c.key.Target, c)
		}
		i.requeueWaiting()
	})
}
