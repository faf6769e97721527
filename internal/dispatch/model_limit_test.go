package dispatch_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"carillon/internal/dispatch"
	"carillon/internal/job"
)

// limited returns the targets that the limits name.
func limited(limits []dispatch.ConcurrencyLimit) []job.Target {
	var targets []job.Target
	for _, l := range limits {
		targets = append(targets, l.Target)
	}
	return targets
}

// join makes the node the last of so many.
func (m *model) join(t *testing.T, nodes int, limited job.Target) {
	m.share = dispatch.Share{Nodes: nodes, Index: nodes - 1}
	m.mu.Lock()
	for w := range m.waiters {
		w.may = w.may || m.waiters[w] == limited
	}
	m.mu.Unlock()
	m.d.SetShare(m.share)
	m.admit(t, []job.Target{limited})
}

// limit returns the limit of a key of a target, or of the whole target if the key is empty; 0 if
// there is none.
func (m *model) limit(target job.Target, key string) int {
	most := 0
	for _, s := range m.streams {
		for _, l := range s.limits {
			if l.Target == target && (l.Key == nil && key == "" || l.Key != nil && *l.Key == key) {
				most = l.Max
			}
		}
	}
	if most <= 0 {
		return 0
	}
	return max(1, (most+m.share.Nodes-1-m.share.Index)/m.share.Nodes)
}

func (m *model) limited(target job.Target) bool {
	return m.limit(target, "") > 0 || m.limit(target, "x") > 0 || m.limit(target, "y") > 0
}

func (m *model) served(target job.Target) bool {
	return slices.ContainsFunc(m.streams, func(s *modelStream) bool { return slices.Contains(s.targets, target) })
}

// passes reports whether a finds all its slots free.
func (m *model) passes(a *modelAttempt) bool {
	whole, named := 0, 0
	for _, s := range m.streams {
		for _, o := range s.out {
			if o.target == a.target && o.whole {
				whole++
			}
			if o.target == a.target && o.named && o.key == a.key {
				named++
			}
		}
	}
	most := m.limit(a.target, "")
	if most > 0 && whole >= most {
		return false
	}
	most = m.limit(a.target, a.key)
	return a.key == "" || most == 0 || named < most
}

// heldOf returns how many triggers of a target are held, and how many bytes they have.
func (m *model) heldOf(target job.Target) (n, bytes int) {
	for _, a := range m.held {
		if a.target == target {
			n++
			bytes += a.bytes
		}
	}
	return n, bytes
}

func (m *model) holds(a *modelAttempt) bool {
	n, bytes := m.heldOf(a.target)
	return n == 0 || n < modelHold && bytes+a.bytes <= modelBytes
}

func (m *model) crowded(target job.Target) bool {
	n, bytes := m.heldOf(target)
	return n >= modelHold || n > 0 && bytes >= modelBytes
}

// admit sends the held triggers of these targets whose slots are free, one by one.
func (m *model) admit(t *testing.T, targets []job.Target) {
	for _, target := range targets {
		for {
			i := slices.IndexFunc(m.held, func(a *modelAttempt) bool { return a.target == target && m.passes(a) })
			if i < 0 {
				break
			}
			a := m.held[i]
			s := m.turn(target, a.bytes)
			if s == nil {
				break
			}
			m.held = slices.Delete(m.held, i, i+1)
			m.send(t, s, a)
			a.whole = true
			m.capacityAppeared([]job.Target{target})
		}
	}
	if got := m.d.Stats().Held; got != len(m.held) {
		t.Fatalf("%d are held, want %d", got, len(m.held))
	}
}

// abandoned removes and returns the held triggers that no stream serves any more.
func (m *model) abandoned() []*modelAttempt {
	var lost []*modelAttempt
	m.held = slices.DeleteFunc(m.held, func(a *modelAttempt) bool {
		if m.served(a.target) {
			return false
		}
		lost = append(lost, a)
		return true
	})
	return lost
}

func (a *modelAttempt) trigger() job.Trigger {
	trig := sized(a.target, a.bytes-len(a.name)-len(a.key))
	trig.Key.Name = a.name
	if a.key != "" {
		trig.ConcurrencyKey = &a.key
	}
	return trig
}

func randomLimits(rnd *rand.Rand, target job.Target) []dispatch.ConcurrencyLimit {
	var limits []dispatch.ConcurrencyLimit
	for _, key := range []string{"", "x", "y"} {
		if rnd.IntN(3) > 0 {
			continue
		}
		if l := limitKey(target, key, 1+rnd.IntN(4)); key != "" {
			limits = append(limits, l)
		} else {
			limits = append(limits, limit(target, l.Max))
		}
	}
	return limits
}
