package quarantine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/prometheus/client_golang/prometheus"

	"carillon/internal/engine/record"
	"carillon/internal/logtest"
	"carillon/internal/store"
	"carillon/internal/store/pebblestore"
)

// A world is a quarantine with its store, its metrics and its log.
type world struct {
	*Quarantine
	db  store.Store
	reg *prometheus.Registry
	log *logtest.Page
}

func newWorld(t *testing.T, db store.Store) *world {
	t.Helper()
	w := &world{db: db, reg: prometheus.NewRegistry(), log: new(logtest.Page)}
	w.Quarantine = New(db, 1, slog.New(slog.NewTextHandler(w.log, nil)), w.reg)
	return w
}

// check reports an error if the metric or the notes in the store disagree with the findings.
func (w *world) check(t *testing.T, after string) {
	t.Helper()
	want := map[string]float64{kindDue: 0, kindJob: 0, kindState: 0, kindOther: 0}
	noted := map[string]string{}
	for _, f := range w.findings() {
		want[f.Kind()]++
		if f.noted && len(f.Key) <= maxNotedKey {
			noted[string(record.NoteKey(f.Key))] = string(record.EncodeNote(record.Note(f.Finding)))
		}
	}
	got := map[string]float64{}
	families, err := w.reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			got[m.GetLabel()[0].GetValue()] = m.GetGauge().GetValue()
		}
	}
	if !maps.Equal(got, want) {
		t.Errorf("after %s the metric says %v of %v", after, got, want)
	}
	kept := map[string]string{}
	for pair, err := range w.db.Scan(t.Context(), store.Prefix(record.NoteKey(nil)), 0) {
		if err != nil {
			t.Fatal(err)
		}
		kept[string(pair.Key)] = string(pair.Value)
	}
	if !maps.Equal(kept, noted) {
		t.Errorf("after %s the store has the notes %q, want %q", after, kept, noted)
	}
}

func (w *world) keys() (all []string) {
	for _, f := range w.findings() {
		all = append(all, string(f.Key))
	}
	return all
}

// openStore opens an empty store in memory, and closes it with the test.
func openStore(t *testing.T) store.Store {
	t.Helper()
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	s, err := pebblestore.Open(pebblestore.Config{Dir: "store", FS: vfs.NewMem(), NoTickers: true}, log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

var errDisk = errors.New("input/output error")

func TestMetricAndNotesAgree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := openStore(t)
		w := newWorld(t, db)
		long := "j" + strings.Repeat("l", maxNotedKey)
		just := long[:maxNotedKey]
		bad := []string{"d", "d\x00\x00x", "j", "s!", "zebra", "", just, long}
		slices.Sort(bad)
		var b store.Batch
		for _, k := range bad {
			b.Put([]byte(k), []byte("value"))
		}
		if err := db.Commit(t.Context(), &b); err != nil {
			t.Fatal(err)
		}
		why := errors.New(strings.Repeat("é", maxFindingReason))
		begun := time.Now()
		for range 2 { // the second time it is there
			for _, k := range bad {
				w.Report(t.Context(), []byte(k), 5, why)
			}
			time.Sleep(time.Second)
		}
		w.check(t, "reports")
		if got := w.keys(); !slices.Equal(got, bad) {
			t.Errorf("%q are in quarantine, want %q", got, bad)
		}
		for _, f := range w.findings() {
			if f.Bytes != 5 || !f.FirstSeen.Equal(begun) || f.Reason != strings.Repeat("é", maxFindingReason/2)+"…" || f.noted != (string(f.Key) == long) {
				t.Errorf("%.10q is found as %+v", f.Key, f)
			}
		}
		if n := strings.Count(w.log.String(), "left aside, and the rest goes on"); n != len(bad) {
			t.Errorf("%d findings are logged, want each of %d once", n, len(bad))
		}
		if note := w.Summary(); !strings.Contains(note, fmt.Sprintf("quarantined: %d keys", len(bad))) {
			t.Errorf("the note is %q", note)
		}
		recheck := func(all bool, what string) {
			t.Helper()
			if err := w.recheck(t.Context(), all); err != nil {
				t.Fatal(err)
			}
			w.check(t, what)
		}
		recheck(false, "a check of new findings")
		for _, f := range w.findings() {
			if !f.noted {
				t.Errorf("%.10q has no note", f.Key)
			}
		}
		again := newWorld(t, db)
		again.Report(t.Context(), []byte("zebra"), 5, errors.New("found again before the notes were read"))
		again.Report(t.Context(), []byte("d new"), 5, why)
		if err := again.load(t.Context()); err != nil {
			t.Fatal(err)
		}
		again.check(t, "a start")
		if got, want := len(again.findings()), len(bad); got != want { // one is too long for a note, and one is new
			t.Errorf("after a start %d are in quarantine, want %d", got, want)
		}
		for _, f := range again.findings() {
			if noted := string(f.Key) != "d new"; f.noted != noted || noted && !f.FirstSeen.Equal(begun) {
				t.Errorf("after a start %.10q is %+v", f.Key, f)
			}
		}
		b.Reset()
		b.Delete([]byte("zebra")) // and "j" is mended, as it is nothing
		b.Delete([]byte("j"))
		if err := db.Commit(t.Context(), &b); err != nil {
			t.Fatal(err)
		}
		recheck(false, "a check of new findings when some is gone")
		if got := w.keys(); !slices.Equal(got, bad) {
			t.Errorf("%q are in quarantine, want %q: they were noted", got, bad)
		}
		recheck(true, "a check of all")
		left := slices.DeleteFunc(slices.Clone(bad), func(k string) bool { return k == "zebra" || k == "j" })
		if got := w.keys(); !slices.Equal(got, left) {
			t.Errorf("%q are in quarantine, want %q", got, left)
		}
		if n := strings.Count(w.log.String(), "is gone, or in order"); n != 2 {
			t.Errorf("that it is gone is logged %d times, want 2", n)
		}
		w.forget([]byte("never found"))
		w.check(t, "what was never found is forgotten")
	})
}

func TestLimitIsReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, openStore(t))
		for i := range maxFound + 5 {
			w.Report(t.Context(), fmt.Appendf(nil, "z%05d", i), 1, errAlone)
			if i > 0 && i < maxFound-2 {
				continue
			}
			if n, most := len(w.findings()), strings.Contains(w.Summary(), "at least"); n != min(i+1, maxFound) || most != (n == maxFound) {
				t.Fatalf("of %d findings %d are kept, and the note says that there may be more: %v", i+1, n, most)
			}
		}
		w.check(t, "many reports")
	})
}

// A readTimes notes when it is read, and can refuse it.
type readTimes struct {
	store.Store
	begun time.Time
	fails atomic.Bool

	mu   sync.Mutex // guards the field below
	gets []time.Duration
}

func (s *readTimes) read() []time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.gets)
}

func (s *readTimes) Get(ctx context.Context, keys ...[]byte) ([][]byte, error) {
	s.mu.Lock()
	s.gets = append(s.gets, time.Since(s.begun))
	s.mu.Unlock()
	if s.fails.Load() {
		return nil, errDisk
	}
	return s.Store.Get(ctx, keys...)
}

func TestFindingsAreNotedSoonAndRecheckedEachMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &readTimes{Store: openStore(t), begun: time.Now()}
		var b store.Batch
		b.Put([]byte("zebra"), []byte("x"))
		b.Put([]byte("zoo"), []byte("x"))
		if err := s.Commit(t.Context(), &b); err != nil {
			t.Fatal(err)
		}
		w := newWorld(t, s)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); w.Run(ctx) }()
		time.Sleep(10 * time.Second)
		w.Report(ctx, []byte("zebra"), 1, errAlone)
		time.Sleep(500 * time.Millisecond)
		w.Report(ctx, []byte("zoo"), 1, errAlone)
		w.check(t, "less than a second")
		time.Sleep(time.Second)
		w.check(t, "more than a second")
		seconds := map[time.Duration]int{}
		time.Sleep(3 * time.Minute)
		gets := s.read()
		for _, at := range gets {
			seconds[at.Round(time.Second)/time.Second]++
		}
		// new ones after a second, and again for the second report; then all of them each minute
		if seconds[11] != 2 || len(gets) < 2+2*2 || seconds[71]+seconds[72] != 2 || seconds[131]+seconds[132] != 2 {
			t.Errorf("findings are looked at at %v", gets)
		}
		s.fails.Store(true)
		time.Sleep(3 * time.Minute)
		s.fails.Store(false)
		if n := strings.Count(w.log.String(), "cannot note"); n != 1 {
			t.Errorf("that it cannot be looked at is logged %d times, want once", n)
		}
		w.check(t, "reads that failed")
		stop()
		<-ended
	})
}
