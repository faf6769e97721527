package engine

import (
	"context"
	"slices"
	"time"

	"carillon/internal/job"
)

// A work is what one turn takes on. No two parts of it concern the same job.
type work struct {
	commands []*command
	outcomes []outcome
	rooms    []room
	looks    []func(lp *loop, now time.Time)
	moves    []move
	keys     map[job.Key]struct{} // of the commands and outcomes, and perhaps of others
	waited   int                  // the most turns that one of the commands has waited, its own included
	left     bool                 // commands or outcomes wait for a later turn
}

// share is how many commands or outcomes of one target a turn takes before it takes of the next.
const share = 16

// commandUnit is how many bytes a command may have that counts as one.
const commandUnit = 4 << 10

// take removes commands and outcomes, up to most together, of about bytes. Half of a turn is for commands and half for
// outcomes, as long as there are so many; each is divided fairly among targets. Of commands about one job it takes the
// first. An outcome of a job that a command concerns waits for the next turn, and goes first there.
func (i *inbox) take(most, bytes int) work {
	i.mu.Lock()
	defer i.mu.Unlock()
	w := work{rooms: i.rooms, looks: i.looks, moves: i.moves}
	i.rooms, i.looks, i.moves = nil, nil, nil
	if waiting := len(i.deferred) + i.outcomes.Len() + i.commands.Len(); waiting > 0 {
		w.keys = make(map[job.Key]struct{}, min(most, waiting))
	}
	n := 0
	for ; n < len(i.deferred) && n < most && (n == 0 || i.deferred[n].bytes() <= bytes); n++ {
		bytes -= w.addOutcome(i.deferred[n])
	}
	i.deferred = append([]outcome(nil), i.deferred[n:]...)
	bytes -= i.takeCommands(&w, most, bytes)
	i.takeOutcomes(&w, most, bytes)
	i.turns++
	w.left = len(i.deferred)+i.outcomes.Len()+i.commands.Len() > 0
	return w
}

// abandoned reports whether c's caller has gone, so that it need not be carried out.
func (c *command) abandoned() bool {
	select {
	case <-c.gone:
		return true
	default:
		return false
	}
}

// takeCommands leaves room for outcomes, and returns how many bytes the commands take that it has added.
func (i *inbox) takeCommands(w *work, most, bytes int) (taken int) {
	free := most - len(w.outcomes)
	free -= min(free/2, i.outcomes.Len())
	small := bytes - min(bytes/2, i.outcomes.Len()*outcomeBytes)
	var aside []*command
	for len(w.commands) < free && len(aside) < most && i.commands.Len() > 0 {
		target, c := i.commands.Pop()
		if c.abandoned() {
			i.reply(c, context.Canceled) // nobody hears it
			continue
		}
		if _, concerned := w.keys[c.key]; concerned {
			i.commands.Charge(target, 1)
			aside = append(aside, c)
			continue
		}
		alone := len(w.commands) == 0 && (c.bytes <= bytes || len(w.outcomes) == 0)
		if taken+c.bytes > small && !alone {
			i.commands.PushFront(target, c)
			break
		}
		i.commands.Charge(target, 1+c.bytes/commandUnit)
		taken += c.bytes
		w.keys[c.key] = struct{}{}
		w.commands = append(w.commands, c)
		w.waited = max(w.waited, 1+i.turns-c.posted)
	}
	for _, c := range slices.Backward(aside) {
		i.commands.PushFront(c.key.Target, c)
	}
	return taken
}

// takeOutcomes takes at least one, if there is one.
func (i *inbox) takeOutcomes(w *work, most, bytes int) {
	begun := len(w.outcomes)
	for len(w.outcomes)+len(w.commands) < most && i.outcomes.Len() > 0 {
		target, o := i.outcomes.Pop()
		if _, concerned := w.keys[o.key()]; concerned {
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

// addOutcome returns how many bytes o takes.
func (w *work) addOutcome(o outcome) int {
	w.keys[o.key()] = struct{}{}
	w.outcomes = append(w.outcomes, o)
	return o.bytes()
}

// outcomeBytes is about how much of a batch an outcome takes.
const outcomeBytes = 512

// bytes is how much of a batch o takes, at most.
func (o outcome) bytes() int {
	const fixed = 64 // a State, and what keys have around names
	k := &o.delivery.entry.Key
	return writesPerJob * (len(k.Target.Namespace) + len(k.Target.Name) + len(k.ActorID) + len(k.Name) + fixed)
}
