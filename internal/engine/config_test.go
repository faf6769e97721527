package engine

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"carillon/internal/engine/machine"
	"carillon/internal/engine/record"
	"carillon/internal/job"
	"carillon/internal/logtest"
	"carillon/internal/store"
)

func TestConfigDefaults(t *testing.T) {
	type shape struct{ partitions, loops, inbox, turn, inFlight, commandBytes, maxJob int }
	for _, c := range []struct {
		cpus int
		cfg  Config
		want shape
	}{
		{1, Config{}, shape{64, 1, 4096, 256, 65536, 256 << 20, 2 << 20}},
		{6, Config{}, shape{64, 3, 4096, 256, 65536, 256 << 20, 2 << 20}},
		{64, Config{}, shape{64, 4, 4096, 256, 65536, 256 << 20, 2 << 20}},
		{64, Config{Shared: true}, shape{64, 1, 4096, 64, 65536, 256 << 20, 2 << 20}},
		{64, Config{Shared: true, Turn: 7, Loops: 2}, shape{64, 2, 4096, 7, 65536, 256 << 20, 2 << 20}},
		{64, Config{Partitions: 3}, shape{3, 3, 4096, 256, 65536, 256 << 20, 2 << 20}},
		{64, Config{Partitions: 10, Loops: 3, Inbox: 9, Turn: 8, MaxInFlight: 70, MaxCommandBytes: 6000, MaxJob: 5}, shape{10, 3, 9, 8, 70, 6000, 5}},
		{64, Config{Partitions: 2, Loops: 2, MaxInFlight: 1}, shape{2, 2, 4096, 256, 1, 256 << 20, 2 << 20}},
	} {
		before := runtime.GOMAXPROCS(c.cpus)
		e := New(c.cfg, openStore(t), nil, logTo(t))
		runtime.GOMAXPROCS(before)
		got := shape{e.config.Partitions, len(e.loops), e.config.Inbox, e.config.Turn, e.config.MaxInFlight, int(e.config.MaxCommandBytes), e.config.MaxJob}
		if got != c.want || len(e.loopOf) != got.partitions {
			t.Errorf("on %d CPUs %+v becomes %+v with %d owners, want %+v", c.cpus, c.cfg, got, len(e.loopOf), c.want)
		}
		next := 0
		for i, lp := range e.loops {
			for _, p := range lp.partitions {
				if p != next || e.loopOf[p] != lp {
					t.Errorf("loop %d of %d has partition %d, want %d and that it is its owner", i, len(e.loops), p, next)
				}
				next++
			}
			if n, even := len(lp.partitions), got.partitions/got.loops; n < even || n > even+1 {
				t.Errorf("loop %d of %d has %d of %d partitions", i, len(e.loops), n, got.partitions)
			}
			if n := lp.machine.Stats(time.Time{}).Limit; n != max(1, got.inFlight/got.loops) {
				t.Errorf("one of %d loops may have %d triggers in flight of %d", got.loops, n, got.inFlight)
			}
			if lp.inbox.slotCount != int64(got.inbox) || lp.inbox.slotBytes != max(1, got.commandBytes/got.loops/got.inbox) || lp.maxWork != got.turn {
				t.Errorf("one of %d loops takes %d commands of %d bytes, want %+v", got.loops, lp.inbox.slotCount, lp.inbox.slotBytes, got)
			}
		}
		if next != got.partitions {
			t.Errorf("loops have %d of %d partitions", next, got.partitions)
		}
	}
	for rate, want := range map[float64]bool{0: false, 0.5: true} {
		if got := newRates(rate) != nil; got != want {
			t.Errorf("with %v triggers a second there is a quota: %v", rate, got)
		}
	}
}

// A mute store notes when it is asked for its format, and says nothing for a while.
type mute struct {
	store.Store
	begun  time.Time
	until  time.Duration
	asked  []time.Duration
	writes error // what a commit returns, if not nil
}

var errMute = errors.New("input/output error")

func (s *mute) Get(ctx context.Context, keys ...[]byte) ([][]byte, error) {
	at := time.Since(s.begun)
	if string(keys[0]) == string(record.FormatKey()) {
		s.asked = append(s.asked, at)
	}
	if at < s.until {
		return nil, errMute
	}
	return s.Store.Get(ctx, keys...)
}

func (s *mute) Commit(ctx context.Context, b *store.Batch) error {
	if s.writes != nil && time.Since(s.begun) < 2*s.until {
		return s.writes
	}
	return s.Store.Commit(ctx, b)
}

func TestUnansweredFormatReadBacksOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		page := new(logtest.Page)
		s := &mute{Store: openStore(t), begun: time.Now(), until: 6 * time.Second, writes: errMute}
		e := New(Config{Partitions: 1}, s, nil, slog.New(slog.NewTextHandler(page, nil)))
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- e.Run(ctx) }()
		time.Sleep(time.Minute)
		if err := e.Schedule(ctx, appKey("app", 1), *dueAt(time.Now().Add(time.Hour)), false); err != nil {
			t.Error(err)
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		for i := 1; i < len(s.asked); i++ {
			want := min(minBackoff<<(i-1), time.Second)
			if got := s.asked[i] - s.asked[i-1]; got != want {
				t.Errorf("it was asked again after %v, want %v", got, want)
			}
		}
		if last := s.asked[len(s.asked)-1]; last < 12*time.Second || last > 13*time.Second {
			t.Errorf("it was asked last after %v, want 12 s: when it took what was written", last)
		}
		for line := range strings.Lines(page.String()) {
			if !strings.Contains(line, "format is not known") {
				continue
			}
			late := strings.Contains(line, "time=2000-01-01T00:00:0") && line[len("time=2000-01-01T00:00:0")] < '3'
			if info := strings.Contains(line, "level=INFO"); info != late {
				t.Errorf("in the first three seconds it is no error, and later it is: %s", line)
			}
		}
		for _, what := range []string{"read the store's format", "write the store's format"} {
			if !strings.Contains(page.String(), what) {
				t.Errorf("the log does not say that it was to %s", what)
			}
		}
	})
}

// A clock that is stepped cannot be made here: the reading of the monotonic one always comes along.
func TestSteadyClockIsNotLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		page := new(logtest.Page)
		e := New(Config{Partitions: 1}, openStore(t), nil, slog.New(slog.NewTextHandler(page, nil)))
		ctx, stop := context.WithTimeout(t.Context(), time.Hour)
		defer stop()
		if err := e.Run(ctx); err != nil {
			t.Error(err)
		}
		if strings.Contains(page.String(), "stepped") {
			t.Errorf("the log has %s", page.String())
		}
	})
}

func dueAt(at time.Time) *job.Spec {
	s := &job.Spec{Policy: job.DefaultPolicy(), AppID: "app"}
	s.Plan.First = at.UTC().Round(0)
	return s
}

func TestStatsOfLoopsAdd(t *testing.T) {
	one := loopStats{Stats: machine.Stats{Lanes: 1, Parked: 2, Throttled: 3, Entries: 4, Due: 5, Out: 6, InFlight: 7, Limit: 8, Oldest: 11}, outcomes: 9, commands: 10}
	other := loopStats{Stats: machine.Stats{Lanes: 20, Parked: 20, Throttled: 20, Entries: 20, Due: 20, Out: 20, InFlight: 20, Limit: 20, Oldest: 5}, outcomes: 20, commands: 20, overloaded: 1}
	want := loopStats{Stats: machine.Stats{Lanes: 21, Parked: 22, Throttled: 23, Entries: 24, Due: 25, Out: 26, InFlight: 27, Limit: 28, Oldest: 11}, outcomes: 29, commands: 30, overloaded: 1}
	for _, order := range [][]loopStats{{one, other}, {other, one}} {
		var all loopStats
		for _, c := range order {
			all.add(c)
		}
		if all != want {
			t.Errorf("%+v together are %+v, want %+v", order, all, want)
		}
	}
	var shown []float64
	for _, g := range gauges() {
		shown = append(shown, g.of(want))
	}
	if want := []float64{21, 22, 24, 25, 11, 26, 27, 28, 23, 29, 30, 1}; !slices.Equal(shown, want) {
		t.Errorf("it is shown as %v, want %v", shown, want)
	}
}

func TestStoreErrorIsUnavailableUnlessCanceled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	if err := unavailable(ctx, errMute); !errors.Is(err, job.ErrUnavailable) || !errors.Is(err, errMute) {
		t.Errorf("an error of the store becomes %v", err)
	}
	cancel()
	if err := unavailable(ctx, errMute); !errors.Is(err, job.ErrUnavailable) {
		t.Errorf("an error of the store becomes %v when its caller has gone", err)
	}
	if err := unavailable(ctx, ctx.Err()); errors.Is(err, job.ErrUnavailable) || !errors.Is(err, context.Canceled) {
		t.Errorf("the end of a caller becomes %v", err)
	}
}

func TestPunctualLoopHasWaker(t *testing.T) {
	for _, punctual := range []bool{false, true} {
		s := newScript(t, 1)
		s.punctual = punctual
		ctx, stop := context.WithCancel(t.Context())
		stop()
		s.loop.run(ctx)
		if got := s.waker != nil; got != punctual {
			t.Errorf("a loop that is to be punctual: %v, has a waker: %v", punctual, got)
		}
	}
}
