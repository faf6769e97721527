package engine_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"carillon/internal/engine"
	"carillon/internal/job"
)

// A ledger is what the outside world knows: which calls were answered, and what arrived. A power cut takes one life of
// a node; what happens in a life after its cut is not part of the world.
type ledger struct {
	mu    sync.Mutex
	life  int
	jobs  map[job.Key]job.Spec // asked for
	acked map[job.Key]bool
	dues  map[job.Key]map[time.Time]int // occurrences that arrived, and how often
}

// A ledgerApp brings the triggers of one life to its app, and into the ledger.
type ledgerApp struct {
	*app
	ledger *ledger
	life   int
}

func (l ledgerApp) Deliver(t job.Trigger, done func(job.Outcome), room func(int)) bool {
	l.ledger.mu.Lock()
	defer l.ledger.mu.Unlock()
	if l.life != l.ledger.life {
		return true // this node is without power
	}
	if l.ledger.dues[t.Key] == nil {
		l.ledger.dues[t.Key] = map[time.Time]int{}
	}
	l.ledger.dues[t.Key][t.Due]++
	return l.app.Deliver(t, done, room)
}

// TestPowerCutsLoseNothingAcknowledged cuts the power of a node again and again, before a random
// operation on its disk under a random load, with a random part of what was not synced lost, and
// lets it come back on what the disk then holds. In the end every job that was acknowledged has had
// exactly the occurrences of its plan, none early; and a job of whose call nobody knows the end has
// had all of them or none.
func TestPowerCutsLoseNothingAcknowledged(t *testing.T) {
	for seed := range uint64(5) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { crashes(t, rand.New(rand.NewPCG(seed, 1))) })
		})
	}
}

func crashes(t *testing.T, r *rand.Rand) {
	disk := vfs.NewCrashableMem()
	l := &ledger{jobs: map[job.Key]job.Spec{}, acked: map[job.Key]bool{}, dues: map[job.Key]map[time.Time]int{}}
	const lives = 6
	for life := range lives {
		a := ledgerApp{&app{answer: answers(rand.New(rand.NewPCG(r.Uint64(), 0)))}, l, life}
		var next *vfs.MemFS
		gone := make(chan struct{})
		cut := sync.OnceFunc(func() {
			l.mu.Lock()
			defer l.mu.Unlock()
			next = disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: r.IntN(101), RNG: r})
			l.life++
			close(gone)
		})
		var ops atomic.Int64
		last := int64(1 + r.IntN(1500)) // of what this life does to its disk
		s := open(t, errorfs.Wrap(disk, errorfs.InjectorFunc(func(op errorfs.Op) error {
			if op.Kind.ReadOrWrite() == errorfs.OpIsWrite && ops.Add(1) == last {
				for range 1000 {
					runtime.Gosched() // a caller that was answered too early gets its answer now
				}
				cut()
			}
			return nil
		})))
		e, stop := run(t, s, a, engine.Config{Partitions: 4})
		ctx, cancel := context.WithCancel(t.Context())
		var users sync.WaitGroup
		for user := range 8 {
			name, seed := fmt.Sprintf("%d-%d", life, user), uint64(life)<<32+uint64(user)
			users.Go(func() { l.use(ctx, e, name, rand.New(rand.NewPCG(seed, 0)), life) })
		}
		select {
		case <-gone:
		case <-time.After(10 * time.Second):
			cut()
		}
		cancel()
		users.Wait()
		stop()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		a.triggers(t)
		disk = next
	}
	a := ledgerApp{&app{}, l, lives}
	s := open(t, disk)
	_, stop := run(t, s, a, engine.Config{Partitions: 4})
	time.Sleep(time.Hour)
	synctest.Wait()
	stop()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	a.triggers(t)
	l.check(t)
}

// use schedules jobs until ctx ends, and writes down what it was told.
func (l *ledger) use(ctx context.Context, e *engine.Engine, name string, r *rand.Rand, life int) {
	for i := 0; ctx.Err() == nil; i++ {
		k := key(fmt.Sprint("app", r.IntN(3)), fmt.Sprint(name, "-", i))
		s := once(time.Now().Add(time.Duration(r.IntN(20_000)) * time.Millisecond))
		if r.IntN(2) == 0 {
			s = every(s.Plan.First, time.Duration(1+r.IntN(3000))*time.Millisecond)
			n := uint32(1 + r.IntN(5))
			s.Words.Repeats, s.Plan.Repeats = &n, n
		}
		l.mu.Lock()
		alive := l.life == life
		if alive {
			l.jobs[k] = s
		}
		l.mu.Unlock()
		if !alive {
			return
		}
		var err error
		if r.IntN(2) == 0 {
			err = e.Schedule(ctx, k, s, false)
		} else {
			err = errors.Join(e.ScheduleAll(ctx, []job.Request{{Key: k, Spec: s}})...)
		}
		if err == nil {
			l.mu.Lock()
			l.acked[k] = l.life == life
			l.mu.Unlock()
		}
		time.Sleep(time.Duration(r.IntN(500)) * time.Millisecond)
	}
}

// answers is an app that takes its time, fails now and then, and is sometimes lost.
func answers(r *rand.Rand) func(job.Trigger) (job.Outcome, time.Duration) {
	return func(job.Trigger) (job.Outcome, time.Duration) {
		o := []job.Outcome{job.Handled, job.Handled, job.Handled, job.Failed, job.Lost}[r.IntN(5)]
		return o, time.Duration(r.IntN(300)) * time.Millisecond
	}
}

// check compares what arrived with what the plans say.
func (l *ledger) check(t *testing.T) {
	t.Helper()
	if len(l.acked) < 20 {
		t.Errorf("only %d jobs were acknowledged: this proves little", len(l.acked))
	}
	for k, s := range l.jobs {
		got, want := l.dues[k], map[time.Time]bool{}
		var last time.Time
		for n := uint32(0); ; n++ {
			due, ok := s.Plan.Next(n, last)
			if !ok {
				break
			}
			want[due], last = true, due
		}
		if len(got) == 0 && !l.acked[k] {
			continue
		}
		for due := range want {
			if got[due] == 0 {
				t.Errorf("%s (acknowledged: %v) never had its occurrence of %v", k, l.acked[k], due)
			}
		}
		for due := range got {
			if !want[due] {
				t.Errorf("%s had an occurrence at %v that its plan does not have", k, due)
			}
		}
	}
}
