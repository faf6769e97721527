package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"carillon/internal/engine/machine"
	"carillon/internal/job"
)

// A naive model of what a loop does: no index, no lanes, no windows, only what each job waits for.
type model struct {
	jobs map[string]*modelJob
	out  map[string]bool // by name: a trigger is in flight; true if its outcome counts

	delivered int                 // attempts
	ended     map[job.Outcome]int // attempts
	again     int                 // that were or will be redelivered, because their outcome is unknown
}

func newModel() *model {
	return &model{jobs: map[string]*modelJob{}, out: map[string]bool{}, ended: map[job.Outcome]int{}}
}

// figures are what metrics say of it.
func (m *model) figures() map[string]string {
	return map[string]string{
		"out": fmt.Sprint(len(m.out)), "inFlight": fmt.Sprint(len(m.out)), "redeliveries_total": fmt.Sprint(m.again),
		"deliveries_total{handled}": fmt.Sprint(m.ended[job.Handled]), "deliveries_total{failed}": fmt.Sprint(m.ended[job.Failed]),
		"deliveries_total{lost}": fmt.Sprint(m.ended[job.Lost]), "kept": "0", "outcomes": "0", "commands": "0", "parked": "0", "throttled": "0",
	}
}

type modelJob struct {
	spec     job.Spec
	settled  uint32
	last     time.Time
	failures uint32
	due, at  time.Time // of the occurrence, and of its next attempt
}

func (m *model) schedule(name string, spec job.Spec, overwrite bool) error {
	if m.jobs[name] != nil && !overwrite {
		return job.ErrExists
	}
	m.remove(name)
	if first, ok := spec.Plan.Next(0, time.Time{}); ok {
		m.jobs[name] = &modelJob{spec: spec, due: first, at: first}
	}
	return nil
}

func (m *model) remove(name string) {
	delete(m.jobs, name)
	m.disbelieve(name)
}

// get returns what the store holds: the spec, and how far it has got.
func (m *model) get(name string) string {
	j := m.jobs[name]
	if j == nil {
		return "nothing"
	}
	spec, err := json.Marshal(j.spec)
	if err != nil {
		panic(err)
	}
	return fmt.Sprintf("%s, %d settled, last %v, attempt %d at %v, due %v", spec, j.settled, j.last, j.failures, j.due, j.at)
}

func (m *model) disbelieve(name string) {
	if _, out := m.out[name]; out {
		m.out[name] = false
	}
}

// fire returns what is delivered at this moment.
func (m *model) fire(now time.Time) []string {
	var fired []string
	for name, j := range m.jobs {
		if _, out := m.out[name]; !out && !j.at.After(now) {
			m.out[name] = true
			m.delivered++
			fired = append(fired, fmt.Sprintf("%s due %v attempt %d", name, j.due.Unix(), j.failures))
		}
	}
	return fired
}

// settle ends the delivery of name. kept says that the record of it reaches the store, and failed
// that the node does not know.
func (m *model) settle(name string, o job.Outcome, kept, failed bool) {
	counts := m.out[name]
	delete(m.out, name)
	j := m.jobs[name]
	m.ended[o]++
	if counts && (o == job.Lost || failed) {
		m.again++
	}
	if !counts || !kept || o == job.Lost || j == nil {
		return
	}
	if o == job.Failed {
		j.failures++
		if again, ok := j.spec.Policy.Retry(j.at, j.failures); ok {
			j.at = again
			return
		}
	}
	j.settled, j.last, j.failures = j.settled+1, j.due, 0
	next, ok := j.spec.Plan.Next(j.settled, j.last)
	if !ok {
		delete(m.jobs, name)
	}
	j.due, j.at = next, next
}

// TestRandomCommandsMatchModel lets users, apps and a failing disk do what they like to a loop, and
// compares every answer, every delivery, and after each step all that the store holds and what
// metrics say with the model's. The machine's invariants are checked after every step, too. Some of
// it happens where instants take another form in the store.
func TestRandomCommandsMatchModel(t *testing.T) {
	for seed := range uint64(10) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 0))
			s, m := newScript(t, 1+int(seed%3)), newModel()
			if at, ok := turningPoints()[seed]; ok {
				s.now = at.Add(-2 * time.Minute)
			}
			var history []string
			for range 200 {
				step := randomStep(t, r, s, m)
				history = append(history, step)
				if got, want := s.deliveries(), m.fire(s.now); !sameSet(got, want) {
					t.Fatalf("%s\ndelivered %q\nwant %q", strings.Join(history, "\n"), got, want)
				}
				if err := s.check(t.Context()); err != nil {
					t.Fatalf("%s\n%v", strings.Join(history, "\n"), err)
				}
				figures := s.counts(t)
				for name, want := range m.figures() {
					if got := figures[name]; got != want {
						t.Fatalf("%s\n%s is %s, want %s", strings.Join(history, "\n"), name, got, want)
					}
				}
				if got, want := figures["lateness_seconds"], fmt.Sprintf("%d of ", m.delivered); !strings.HasPrefix(got, want) {
					t.Fatalf("%s\nlateness was measured %s s, want %d times", strings.Join(history, "\n"), got, m.delivered)
				}
				if got, want := s.holdings(t), m.holdings(); !slices.Equal(got, want) {
					t.Fatalf("%s\n%s", strings.Join(history, "\n"), cmp.Diff(want, got))
				}
			}
		})
	}
}

// turningPoints are instants, by seed, at which the form of instants in the store changes, or that
// are special otherwise.
func turningPoints() map[uint64]time.Time {
	return map[uint64]time.Time{
		6: time.Unix(0, math.MinInt64).UTC(),
		7: time.Unix(0, math.MaxInt64).UTC(),
		8: time.Time{}.Add(2 * time.Minute), // no clock shows a time before the zero time
		9: time.Date(9999, 12, 31, 23, 0, 0, 0, time.UTC),
	}
}

// randomStep does one thing to both and says what it was.
func randomStep(t *testing.T, r *rand.Rand, s *script, m *model) string {
	n := r.IntN(modelJobs)
	name, k := modelName(n), modelKey(n)
	kept := true
	if r.IntN(20) == 0 {
		kept = r.IntN(2) == 0
		s.broken, s.swallowed = errors.New("the disk says no"), !kept
		defer func() { s.broken = nil }()
	} else if r.IntN(10) == 0 { // the turn is taken back, and had again
		s.broken, s.swallowed = job.ErrFull, true
		defer func() { s.broken = nil }()
	}
	var step string
	switch choice := r.IntN(100); {
	case choice < 45:
		spec, overwrite := randomSpec(t, r, s.now), r.IntN(2) == 0
		step = fmt.Sprintf("schedule %s %v overwrite=%v", name, spec.Plan, overwrite)
		s.put(t, k, spec, overwrite)
		if kept {
			want := m.schedule(name, spec, overwrite)
			if !errors.Is(s.reply, want) && !errors.Is(s.reply, job.ErrUnavailable) {
				t.Fatalf("%s: %v, want %v", step, s.reply, want)
			}
		} else if m.jobs[name] == nil || overwrite {
			m.disbelieve(name)
		}
	case choice < 50:
		step = "delete " + name
		s.remove(t, k)
		if kept {
			m.remove(name)
		} else if m.jobs[name] != nil {
			m.disbelieve(name)
		}
	case choice < 75 && len(m.out) > 0:
		for name = range m.out {
			if r.IntN(3) == 0 {
				break
			}
		}
		o := []job.Outcome{job.Handled, job.Handled, job.Failed, job.Lost}[r.IntN(4)]
		step = fmt.Sprintf("settle %s %s", name, o)
		s.out[fmt.Sprintf("%s %d", name, s.latest[name])].done(o)
		s.idle(t)
		m.settle(name, o, kept, s.failures > 0)
	case choice < 77:
		step = "restart"
		s.machine = machine.New(machine.Config{Partitions: s.partitionCount, MaxInFlight: s.machine.Stats(s.now).Limit})
		s.load(t)
		s.idle(t)
		clear(m.out)
	default:
		d := time.Duration(r.IntN(20)) * time.Second
		step = fmt.Sprintf("wait %v", d)
		s.broken = nil
		s.now = s.now.Add(d)
		s.idle(t)
	}
	if s.failures > 0 { // outcomes of triggers from before the failure no longer count
		step += fmt.Sprintf(", commit failed, kept=%v", kept)
		for name, counts := range m.out {
			if counts {
				m.again++
			}
			m.out[name] = false
		}
	}
	s.failures = 0
	return step
}

func randomSpec(t *testing.T, r *rand.Rand, now time.Time) job.Spec {
	spec := job.Spec{Policy: job.DefaultPolicy(), AppID: "app"}
	if r.IntN(2) == 0 {
		spec.Words.DueTime = new(fmt.Sprintf("%ds", r.IntN(300)-5))
	}
	if spec.Words.DueTime == nil || r.IntN(2) == 0 {
		spec.Words.Schedule = new([]string{"@every 0s", "@every 250ms", "*/7 * * * * *", "@every 1s", "@every 9s"}[r.IntN(5)])
		if r.IntN(2) == 0 || *spec.Words.Schedule == "@every 0s" {
			spec.Words.Repeats = new(uint32(1 + r.IntN(4)))
		}
		if r.IntN(3) == 0 {
			spec.Words.TTL = new(fmt.Sprintf("%ds", r.IntN(30)))
		}
	}
	switch r.IntN(4) {
	case 0:
		spec.Policy = job.Policy{Drop: true}
	case 1:
		spec.Policy = job.Policy{}
	case 2:
		spec.Policy = job.Policy{Interval: new(time.Duration(r.IntN(5)) * time.Second), MaxRetries: new(uint32(r.IntN(3)))}
	}
	if err := spec.Resolve(now); err != nil {
		t.Fatal(err)
	}
	return spec
}

const modelJobs = 80 // most windows overflow

func modelName(n int) string { return fmt.Sprintf("job%02d", n) }

func modelKey(n int) job.Key {
	return job.Key{Target: job.Target{Kind: job.App, Namespace: "ns", Name: fmt.Sprintf("app%d", n%3)}, Name: modelName(n)}
}

// holdings is what the store holds of each job.
func (s *script) holdings(t *testing.T) []string {
	t.Helper()
	keys := make([]job.Key, modelJobs)
	for n := range keys {
		keys[n] = modelKey(n)
	}
	records, _, err := s.readRecords(t.Context(), keys)
	if err != nil {
		t.Fatal(err)
	}
	m := &model{jobs: map[string]*modelJob{}}
	for n, r := range records {
		if r.Spec != nil {
			m.jobs[modelName(n)] = &modelJob{
				spec: *r.Spec, settled: r.State.Settled, last: r.State.Last, failures: r.State.Attempts, due: r.Occurrence(), at: r.Due(),
			}
		}
	}
	return m.holdings()
}

func (m *model) holdings() []string {
	all := make([]string, modelJobs)
	for n := range all {
		all[n] = modelName(n) + ": " + m.get(modelName(n))
	}
	return all
}

// deliveries returns what has been delivered since it was asked last.
func (s *script) deliveries() []string {
	got := s.delivered
	s.delivered = nil
	return got
}

func sameSet(a, b []string) bool {
	a, b = slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b))
	return slices.Equal(a, b)
}
