package simulate_test

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"
)

// checkLinear holds that what users hear about a job could be the answers of one that carries out
// one call after the other, each at some moment between question and answer; with the end of a
// job's last occurrence as such a moment, too. A call whose end nobody knows may be carried out at
// any moment until then, or not at all.
func checkLinear(s *story, find func(key, format string, args ...any)) {
	for _, key := range s.keys() {
		ops := s.operations(key)
		switch porcupine.CheckOperationsTimeout(jobModel.ToModel(), ops, 20*time.Second) {
		case porcupine.Illegal:
			find(key, "the answers about it fit no order of the %d calls", len(ops))
		case porcupine.Unknown:
			find(key, "it could not be checked within 20 s whether the answers fit an order of the %d calls", len(ops))
		case porcupine.Ok:
		}
	}
}

// A request is what happens to the job of one key.
type request struct {
	op        op
	version   int
	overwrite bool
	lasting   bool // it is stored: there is an occurrence
}

// finish is the end of a version, after its last occurrence.
const finish op = "finish"

// A reply is what is known of it.
type reply struct {
	result  result
	version int // that was read; 0 for none
}

// jobModel is what the job of one key is: the number of a version, or 0.
var jobModel = porcupine.NondeterministicModel{
	Init: func() []any { return []any{0} },
	Step: func(state, input, output any) []any {
		now, in, out := state.(int), input.(request), output.(reply)
		switch in.op {
		case schedule:
			return scheduleStep(now, in, out)
		case remove:
			if out.result == unknown {
				return []any{0, now}
			}
			return []any{0}
		case finish:
			if now == in.version {
				return []any{0}
			}
			return []any{now}
		default: // a read
			if now != out.version {
				return nil
			}
			return []any{now}
		}
	},
}

func scheduleStep(now int, in request, out reply) []any {
	next := in.version
	if !in.lasting {
		next = 0
	}
	free := now == 0 || in.overwrite
	switch {
	case out.result == unknown && free:
		return []any{next, now}
	case out.result == unknown, out.result == exists && !free:
		return []any{now}
	case out.result == done && free:
		return []any{next}
	default:
		return nil
	}
}

// operations returns what happened to the job of a key.
func (s *story) operations(key string) []porcupine.Operation {
	var ops []porcupine.Operation
	add := func(in request, from int, out reply, to int) {
		ops = append(ops, porcupine.Operation{Input: in, Call: int64(from), Output: out, Return: int64(to)})
	}
	for _, c := range s.calls {
		of := c.key == key
		all := strings.HasPrefix(key, c.key+"/")
		r := c.heard.result
		switch {
		case c.op == remove && of, c.op == removeAll && all:
			add(request{op: remove}, c.seq, reply{result: r}, c.until)
		case c.op == get && of && (r == done || r == absent):
			add(request{op: get}, c.seq, reply{version: c.heard.version}, c.until)
		case c.op == list && all && r == done:
			add(request{op: get}, c.seq, reply{version: c.heard.found[key]}, c.until)
		}
	}
	for _, v := range s.versions {
		r := v.heard.result
		if v.key != key || r == invalid || r == unknown && len(v.reached) == 0 {
			continue
		}
		_, lasting := v.plan.Next(0, time.Time{})
		add(request{schedule, v.number(), v.overwrite, lasting}, v.seq, reply{result: r}, v.until)
		if from := v.finished(); from != never {
			add(request{op: finish, version: v.number()}, from, reply{}, never)
		}
	}
	return ops
}

// finished returns where the last occurrence of v may have been over for the first time; never if it was not. What was
// delivered first need not have ended first: a node that has lost a job's partition may have it out for long yet.
func (v *version) finished() int {
	first := never
	for _, d := range v.deliveries {
		n := uint32(0)
		for due := range v.dues() {
			n++
			if !due.Before(d.due) {
				break
			}
		}
		if _, more := v.plan.Next(n, d.due); !more && d.final() {
			first = min(first, d.end.seq)
		}
	}
	return first
}

// sorted returns all, in the order of what number says of each.
func sorted[T any](all []T, number func(T) int) []T {
	slices.SortFunc(all, func(a, b T) int { return cmp.Compare(number(a), number(b)) })
	return all
}
