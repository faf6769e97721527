package engine

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"carillon/internal/engine/record"
	"carillon/internal/job"
	"carillon/internal/when"
)

// TestRandomPressureLosesNothingAndChargesQuota has a loop with little in flight, a quota,
// receivers without room, partitions that come and go, and a failing store. After each step the
// machine's invariants hold, and the namespace has paid for what has left or is promised, and for
// nothing else. In the end every job has come.
func TestRandomPressureLosesNothingAndChargesQuota(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { pressure(t, rand.New(rand.NewPCG(seed, 2)), seed) })
		})
	}
}

func pressure(t *testing.T, r *rand.Rand, seed uint64) {
	s := new(script)
	s.begin(t, 2, []int{8, 64, 200}[seed%3], []float64{20, 0}[seed%2])
	p := payment{script: s}
	asked := map[string]bool{} // jobs that are to come
	came := map[string]bool{}
	apps := []string{"a", "b", "c", "d"}
	var history []string
	for step := range 150 {
		p.begin(t)
		what := "wait"
		switch choice := r.IntN(100); {
		case choice < 35:
			app, many := apps[r.IntN(len(apps))], 1+r.IntN(12)
			what = fmt.Sprintf("schedule %d of %s", many, app)
			for i := range many {
				k := appKey(app, 100*step+i)
				if s.ownerships[record.PartitionOf(k, 2)] == nil || s.ownerships[record.PartitionOf(k, 2)].releaseAt != 0 {
					continue
				}
				s.put(t, k, job.Spec{Plan: when.Plan{First: s.now.Add(time.Duration(r.IntN(3000)) * time.Millisecond)}}, false)
				if s.reply == nil {
					asked[k.Name] = true
				}
			}
		case choice < 70:
			what = "settle"
			for range r.IntN(20) {
				p.settle(t, r)
			}
		case choice < 80:
			app, n := apps[r.IntN(len(apps))], r.IntN(6)
			what = fmt.Sprintf("room of %s for %d", app, n)
			s.giveRoom(app, n)
			s.idle(t)
		case choice < 83 && s.ownerships[1] != nil && s.ownerships[1].releaseAt == 0:
			what = "leave"
			s.inbox.setReleased(1)
			s.changeOwnerships([]ownershipChange{{ownership: s.ownerships[1], release: true}})
			s.idle(t)
		case choice < 88 && s.ownerships[1] == nil:
			what = "enter"
			s.enter(t, 1)
			s.idle(t)
		case choice < 90:
			what = "fail"
			s.broken, s.swallowed = errors.New("the disk says no"), r.IntN(2) == 0
		default:
			s.wait(t, s.now.Add(time.Duration(r.IntN(1000))*time.Millisecond))
			time.Sleep(time.Duration(r.IntN(500)) * time.Millisecond)
			s.idle(t)
		}
		history = append(history, what)
		err := p.end(t)
		if err == nil && len(s.ownerships) == 2 && s.ownerships[1].releaseAt == 0 {
			err = s.check(t.Context())
		} else if err == nil {
			err = s.machine.Check()
		}
		if err != nil {
			t.Fatalf("%s\n%v", strings.Join(history, "\n"), err)
		}
		for _, d := range s.deliveries() {
			came[strings.Fields(d)[0]] = true
		}
	}
	s.broken = nil
	time.Sleep(time.Minute)
	s.idle(t)
	if s.ownerships[1] == nil {
		s.enter(t, 1)
	}
	for _, app := range apps {
		s.giveRoom(app, 1<<20)
	}
	s.idle(t)
	for range 60 {
		s.wait(t, s.now.Add(10*time.Second))
		for id := range s.out {
			s.out[id].done(job.Handled)
			delete(s.out, id)
		}
		s.idle(t)
	}
	for _, d := range s.deliveries() {
		came[strings.Fields(d)[0]] = true
	}
	for name := range asked {
		if !came[name] {
			t.Errorf("%s never came", name)
		}
	}
	if c := s.stats(s.now); c.Lanes+c.Entries+c.Out+c.InFlight+c.Throttled+c.Parked > 0 {
		t.Errorf("when all has come, the loop holds %+v", c)
	}
}

// A payment compares what a namespace has left of its quota with what has left.
type payment struct {
	*script

	left     float64 // of the quota, when the step began
	promised int     // to lanes, then
	at       time.Time
	sent     int
}

func (p *payment) begin(t *testing.T) {
	p.left, p.promised, p.at, p.sent = p.quotaLeft(t), p.reserved(), p.now, p.sentAll
}

// end returns what is wrong about what was paid since begin, if anything.
func (p *payment) end(t *testing.T) error {
	if p.quota == 0 {
		return nil
	}
	came := p.left + max(0, p.now.Sub(p.at).Seconds())*p.quota
	want := came - float64(p.sentAll-p.sent) - float64(p.reserved()-p.promised)
	got := p.quotaLeft(t)
	full := came+float64(p.promised) >= p.quota // then some may be gone that came and was not taken
	if got > want+0.01 || got < want-0.01 && !full {
		return fmt.Errorf("of the quota %.3f are left, want %.3f: there were %.3f and %d were promised, %d have left and %d are promised",
			got, want, came, p.promised, p.sentAll-p.sent, p.reserved())
	}
	return nil
}

// reserved is how many triggers lanes have reserved of their quota.
func (s *script) reserved() (n int) {
	for _, l := range s.machine.Lanes(s.epoch) {
		n += l.Reserved
	}
	return n
}

// settle settles a trigger in flight with a random outcome.
func (p *payment) settle(t *testing.T, r *rand.Rand) {
	ids := slices.Sorted(maps.Keys(p.out))
	if len(ids) == 0 {
		return
	}
	id := ids[r.IntN(len(ids))]
	out := p.out[id]
	delete(p.out, id)
	out.done([]job.Outcome{job.Handled, job.Handled, job.Handled, job.Failed, job.Lost}[r.IntN(5)])
	if r.IntN(3) == 0 {
		p.idle(t)
	}
}
