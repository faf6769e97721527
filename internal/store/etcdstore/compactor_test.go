package etcdstore_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"carillon/internal/job"
	"carillon/internal/logtest"
	"carillon/internal/store"
	"carillon/internal/store/etcdmember/etcdtest"
	"carillon/internal/store/etcdstore"
)

const (
	mib   = 1 << 20
	quota = 64 * mib
)

// has sets the figures of the first member.
func has(m *etcdtest.Memory, file, used, quota int64) {
	m.Set("etcd", func(e *etcdtest.Member) { e.File, e.Used, e.Live, e.Quota = file, used, used, quota })
}

// inMemory runs the test with a store on an etcd in memory, in fake time.
func inMemory(t *testing.T, cfg etcdstore.Config, test func(t *testing.T, m *etcdtest.Memory, s *etcdstore.Store)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		m := etcdtest.NewMemory(t)
		test(t, m, newStore(t, m, cfg))
	})
}

func TestFullHasHysteresis(t *testing.T) {
	inMemory(t, etcdstore.Config{}, func(t *testing.T, m *etcdtest.Memory, s *etcdstore.Store) {
		keep(t, s)
		for i, step := range []struct {
			file, used, quota int64
			full              bool
		}{
			{56 * mib, 56 * mib, quota, false},
			{56*mib + 1, 56*mib + 1, quota, true},
			{54*mib + 1, 54*mib + 1, quota, true},
			{54 * mib, 54 * mib, quota, false},
			{56 * mib, 56 * mib, quota, false},
			{62 * mib, 55 * mib, quota, false}, // room to grow counts, too
			{62*mib + 1, 54 * mib, quota, true},
			{62 * mib, 54 * mib, quota, false},
			{1 << 40, 1 << 40, 0, false}, // it does not say
			{0, 0, quota, false},
		} {
			has(m, step.file, step.used, step.quota)
			time.Sleep(5 * time.Second)
			synctest.Wait()
			if err := s.Full(); (err != nil) != step.full {
				t.Errorf("step %d, %d bytes of %d used, a file of %d: Full() = %v, want full: %v", i, step.used, step.quota, step.file, err, step.full)
			}
		}
	})
}

func TestFullNamesMemberAndQuota(t *testing.T) {
	inMemory(t, etcdstore.Config{}, func(t *testing.T, m *etcdtest.Memory, s *etcdstore.Store) {
		m.Join(t, etcdtest.Member{Name: "small", File: 63 * mib, Used: 62 * mib, Live: 62 * mib, Quota: quota})
		has(m, 57*mib, 57*mib, quota)
		if err := s.CheckCapacity(t.Context()); err != nil {
			t.Fatal(err)
		}
		want := "the etcd of small uses 62 MiB of its quota of 64 MiB; new jobs are refused when less than an eighth (8 MiB) is free"
		if err := s.Full(); !errors.Is(err, job.ErrFull) || !strings.Contains(err.Error(), want) {
			t.Errorf("Full() = %v, want %q", err, want)
		}
		m.Set("etcd", func(e *etcdtest.Member) { e.Alarm = true })
		if err := s.CheckCapacity(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := s.Full(); err == nil || !strings.Contains(err.Error(), "its alarm is on") {
			t.Errorf("with an alarm on, Full() = %v, which does not say so", err)
		}
	})
}

// said returns a logger, and how often it has said something so far.
func said() (*slog.Logger, func(what string) int) {
	var text logtest.Page
	return slog.New(slog.NewTextHandler(&text, &slog.HandlerOptions{Level: slog.LevelDebug})), func(what string) int { return strings.Count(text.String(), what) }
}

func TestFullAndRecoveryAreLoggedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := etcdtest.NewMemory(t)
		log, told := said()
		s := etcdstore.NewStore(m.Client(t, "store"), etcdstore.Config{}, log)
		defer s.Close()
		for _, step := range []struct{ used, full, room int64 }{{0, 0, 0}, {0, 0, 0}, {60 * mib, 1, 0}, {60 * mib, 1, 0}, {0, 1, 1}, {0, 1, 1}} {
			has(m, step.used, step.used, quota)
			if err := s.CheckCapacity(t.Context()); err != nil {
				t.Fatal(err)
			}
			if full, room := told("new jobs are refused"), told("new jobs are accepted"); full != int(step.full) || room != int(step.room) {
				t.Errorf("after %d bytes were used: said %d times that it is full and %d times that there is room, want %d and %d", step.used, full, room, step.full, step.room)
			}
			if n := told("file_bytes"); n != int(step.full+step.room) {
				t.Errorf("the figures of a member were logged %d times", n)
			}
		}
	})
}

func TestMetricsShowFreeSpaceOfMembers(t *testing.T) {
	metrics := prometheus.NewRegistry()
	inMemory(t, etcdstore.Config{Metrics: metrics}, func(t *testing.T, m *etcdtest.Memory, s *etcdstore.Store) {
		for _, full := range []int{0, 1} {
			used := int64(20*mib + full*40*mib)
			has(m, used+7, used, quota)
			if err := s.CheckCapacity(t.Context()); err != nil {
				t.Fatal(err)
			}
			want := map[string]float64{
				"carillon_etcd_file_bytes": float64(used + 7), "carillon_etcd_used_bytes": float64(used),
				"carillon_etcd_quota_bytes": quota, "carillon_store_full": float64(full),
			}
			families, err := metrics.Gather()
			if err != nil || len(families) != len(want) {
				t.Errorf("%d metrics, %v; want %d", len(families), err, len(want))
			}
			for _, f := range families {
				if got := f.GetMetric()[0].GetGauge().GetValue(); got != want[f.GetName()] {
					t.Errorf("%s is %v, want %v", f.GetName(), got, want[f.GetName()])
				}
			}
		}
	})
}

func TestFragmentedDatabaseIsDefragmented(t *testing.T) {
	const large = 1024 * mib
	for _, c := range []struct {
		name              string
		file, used, quota int64
		want              bool
	}{
		{"near the quota, and a quarter of it empty", 48*mib + 4, 36*mib + 2, quota, true},
		{"near the quota, and just a quarter of it empty", 48*mib + 4, 36*mib + 3, quota, false},
		{"three quarters of the quota", 48 * mib, 30 * mib, quota, false},
		{"at the quota, and a sixteenth of that empty", 60*mib + 1, 56 * mib, quota, true},
		{"at the quota, and just a sixteenth of that empty", 60*mib + 1, 56*mib + 1, quota, false},
		{"not quite at the quota", 60 * mib, 55 * mib, quota, false},
		{"at the quota, and little of it empty", 62 * mib, 61 * mib, quota, false},
		{"far from it, and most of it empty", 512*mib + 1, 256 * mib, large, true},
		{"far from it, and just half of it empty", 512*mib + 2, 256*mib + 1, large, false},
		{"far from it, and too little empty", 512 * mib, 256 * mib, large, false},
		{"far from it, and just too little empty", 511 * mib, 255 * mib, large, false},
		{"far from it, and empty but small", 200 * mib, 1, large, false},
		{"of a quota that is not told", 1 << 40, 1, 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			inMemory(t, etcdstore.Config{}, func(t *testing.T, m *etcdtest.Memory, s *etcdstore.Store) {
				has(m, c.file, c.used, c.quota)
				keep(t, s)
				synctest.Wait()
				if got := slices.Contains(m.Upkeep(), "defragment etcd"); got != c.want {
					t.Errorf("with a file of %d, of which %d are used, and a quota of %d: %q, want it defragmented: %v", c.file, c.used, c.quota, m.Upkeep(), c.want)
				}
			})
		})
	}
}

func TestLeaderIsDefragmentedLast(t *testing.T) {
	inMemory(t, etcdstore.Config{}, func(t *testing.T, m *etcdtest.Memory, s *etcdstore.Store) {
		sparse := etcdtest.Member{File: 60 * mib, Used: 8 * mib, Live: 8 * mib, Quota: quota}
		for _, name := range []string{"b", "c", ""} { // the last tells no address
			sparse.Name = name
			m.Join(t, sparse)
		}
		dense := sparse
		dense.Name, dense.File = "dense", dense.Used
		m.Join(t, dense)
		absent := sparse
		absent.Name, absent.Absent = "absent", true
		m.Join(t, absent)
		has(m, 60*mib, 8*mib, quota) // etcd, who leads
		keep(t, s)
		synctest.Wait()
		if got, want := m.Upkeep(), []string{"compact 1", "defragment b", "defragment c", "defragment etcd"}; !slices.Equal(got, want) {
			t.Errorf("to keep room, the store did %q, want %q", got, want)
		}
	})
}

func TestOldRevisionsAreCompacted(t *testing.T) {
	inMemory(t, etcdstore.Config{Compact: time.Minute, Watch: time.Second}, func(t *testing.T, m *etcdtest.Memory, s *etcdstore.Store) {
		write := func() {
			t.Helper()
			if err := put(t.Context(), s, "key", "value"); err != nil {
				t.Fatal(err)
			}
		}
		write() // revision 2
		keep(t, s)
		time.Sleep(30 * time.Second)
		write() // revision 3, and the turns of nodes take some
		time.Sleep(30*time.Second - 1)
		if got := m.Upkeep(); len(got) > 0 {
			t.Errorf("before it was old: %q", got)
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		if got, want := m.Upkeep(), []string{"compact 2"}; !slices.Equal(got, want) {
			t.Errorf("after a minute: %q, want %q", got, want)
		}
		time.Sleep(time.Minute - 1)
		synctest.Wait()
		write()
		if got := m.Upkeep(); len(got) != 1 {
			t.Errorf("before another minute was over: %q", got)
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		if got, want := m.Upkeep(), []string{"compact 2", "compact 3"}; !slices.Equal(got, want) {
			t.Errorf("after two minutes: %q, want %q", got, want)
		}
	})
}

func TestFullEtcdIsCompactedAtOnce(t *testing.T) {
	inMemory(t, etcdstore.Config{}, func(t *testing.T, m *etcdtest.Memory, s *etcdstore.Store) {
		for range 5 {
			if err := put(t.Context(), s, "key", "value"); err != nil {
				t.Fatal(err)
			}
		}
		keep(t, s)
		synctest.Wait()
		if err := put(t.Context(), s, "key", "value"); err != nil {
			t.Fatal(err)
		}
		m.Set("etcd", func(e *etcdtest.Member) { e.File, e.Used, e.Live, e.Quota = 59*mib, 59*mib, 20*mib, quota })
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if got, want := m.Upkeep(), []string{"compact 7", "defragment etcd"}; !slices.Equal(got, want) {
			t.Errorf("to make room, the store did %q, want %q", got, want)
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if err := s.Full(); err != nil {
			t.Errorf("with room again, Full() = %v", err)
		}
	})
}

func TestAlarmIsDisarmedWithFreeSpace(t *testing.T) {
	full := []string{"compact 1", "defragment etcd", "disarm etcd"}
	for _, c := range []struct {
		name                    string
		file, used, live, quota int64
		want                    []string
	}{
		{"the past took the room", 64 * mib, 64 * mib, 30 * mib, quota, full},
		{"there is room, and was", 50 * mib, 49 * mib, 49 * mib, quota, []string{"compact 1", "disarm etcd"}},
		{"there is just enough room", 62*mib - 1, 62*mib - 1, 62*mib - 1, quota, []string{"compact 1", "disarm etcd"}},
		{"there is just too little", 62 * mib, 62 * mib, 62 * mib, quota, []string{"compact 1"}},
		{"a fresh file would have room", 62 * mib, 64011531, 64011531, quota, full},
		{"a fresh file would have none", 62 * mib, 64011532, 64011532, quota, []string{"compact 1"}},
		{"jobs take the room", 64 * mib, 63 * mib, 63 * mib, quota, []string{"compact 1"}},
		{"an eighth of a file of no quota is gained", 64 * mib, 64 * mib, 40 * mib, 0, full},
		{"just an eighth of a file of no quota would be gained", 65 * mib, 56 * mib, 56 * mib, 0, []string{"compact 1"}},
		{"more than an eighth of a file of no quota would be gained", 65 * mib, 56*mib - 64<<3, 56*mib - 64<<3, 0, full},
	} {
		t.Run(c.name, func(t *testing.T) {
			inMemory(t, etcdstore.Config{}, func(t *testing.T, m *etcdtest.Memory, s *etcdstore.Store) {
				m.Set("etcd", func(e *etcdtest.Member) {
					e.Alarm, e.File, e.Used, e.Live, e.Quota = true, c.file, c.used, c.live, c.quota
				})
				if err := put(t.Context(), s, "key", "value"); !errors.Is(err, job.ErrFull) || !errors.Is(s.Full(), job.ErrFull) {
					t.Errorf("with the alarm on: Commit = %v, and Full() = %v; want %v", err, s.Full(), job.ErrFull)
				}
				var b store.Batch
				b.Delete([]byte("absent"))
				if err := s.Commit(t.Context(), &b); err != nil {
					t.Errorf("with the alarm on, a deletion is refused: %v", err)
				}
				keep(t, s)
				time.Sleep(5*time.Second - 1) // it waits for no longer than that, as others may do it
				synctest.Wait()
				if got := m.Upkeep(); !slices.Equal(got, c.want) {
					t.Errorf("the store did %q, want %q", got, c.want)
				}
				lifted := slices.Contains(c.want, "disarm etcd")
				if err := put(t.Context(), s, "key", "value"); (err == nil) != lifted {
					t.Errorf("after all that: Commit = %v", err)
				}
			})
		})
	}
}

func TestAlarmOfFullMemberStays(t *testing.T) {
	inMemory(t, etcdstore.Config{}, func(t *testing.T, m *etcdtest.Memory, s *etcdstore.Store) {
		m.Join(t, etcdtest.Member{Name: "full", Quota: quota, File: 64 * mib, Used: 64 * mib, Live: 64 * mib, Alarm: true})
		m.Join(t, etcdtest.Member{Name: "roomy", Quota: quota, Alarm: true})
		m.Join(t, etcdtest.Member{Name: "silent", Quota: quota})
		keep(t, s)
		time.Sleep(5*time.Second - 1)
		synctest.Wait()
		if got, want := m.Upkeep(), []string{"compact 1", "disarm roomy"}; !slices.Equal(got, want) {
			t.Errorf("the store did %q, want %q", got, want)
		}
		if s.Full() == nil {
			t.Error("an alarm is on, and the store does not say that it is full")
		}
	})
}

func TestRefusedWriteTriggersCompaction(t *testing.T) {
	inMemory(t, etcdstore.Config{Watch: time.Hour}, func(t *testing.T, m *etcdtest.Memory, s *etcdstore.Store) {
		keep(t, s)
		synctest.Wait()
		m.Set("etcd", func(e *etcdtest.Member) { e.Alarm, e.Quota = true, quota })
		for range 3 { // once is enough
			if err := put(t.Context(), s, "key", "value"); !errors.Is(err, job.ErrFull) {
				t.Fatalf("Commit = %v, want %v", err, job.ErrFull)
			}
		}
		time.Sleep(time.Hour - 1) // nodes take turns by chance, in the time between two looks
		synctest.Wait()
		if got, want := m.Upkeep(), []string{"compact 1", "disarm etcd"}; !slices.Equal(got, want) {
			t.Errorf("the store did %q, want %q", got, want)
		}
		if err := s.Full(); err != nil {
			t.Errorf("Full() = %v", err)
		}
	})
}

func TestNodesTakeTurnsAtCompaction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := etcdtest.NewMemory(t)
		slow := make(chan struct{})
		compactions := 0
		m.Before = func(_ context.Context, request any) error {
			if _, ok := request.(*etcdserverpb.CompactionRequest); ok {
				if compactions++; compactions == 1 {
					<-slow
				}
			}
			return nil
		}
		for range 3 {
			keep(t, newStore(t, m, etcdstore.Config{Compact: 20 * time.Second}))
		}
		time.Sleep(30 * time.Second) // the lease of the turn is 10 s
		synctest.Wait()
		if compactions != 1 {
			t.Errorf("%d nodes compact at a time, want 1", compactions)
		}
		close(slow)
		synctest.Wait()
		time.Sleep(40 * time.Second)
		synctest.Wait()
		if compactions < 2 {
			t.Errorf("after the first, %d more nodes have compacted: its turn is not over", compactions-1)
		}
	})
}

func TestOneNodeCompactsDuringAlarm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := etcdtest.NewMemory(t)
		m.Set("etcd", func(e *etcdtest.Member) { e.Alarm, e.Quota = true, quota })
		compactions := 0
		m.Before = func(_ context.Context, request any) error {
			if _, ok := request.(*etcdserverpb.CompactionRequest); ok {
				compactions++
			}
			return nil
		}
		for range 5 {
			keep(t, newStore(t, m, etcdstore.Config{Watch: time.Minute, Compact: time.Hour}))
		}
		time.Sleep(time.Minute - 1)
		synctest.Wait()
		if got, want := m.Upkeep(), []string{"compact 1", "disarm etcd"}; !slices.Equal(got, want) {
			t.Errorf("five nodes did %q, want one to do %q", got, want)
		}
		if compactions != 1 {
			t.Errorf("%d of five nodes made room, want one", compactions)
		}
	})
}

func TestFailedCompactionIsLoggedAndRetried(t *testing.T) {
	for name, broken := range map[string]func(any) bool{
		"check the free space in etcd: ": func(r any) bool { _, ok := r.(*etcdserverpb.MemberListRequest); return ok },
		"check the free space in etcd: etcdser": func(r any) bool {
			a, ok := r.(*etcdserverpb.AlarmRequest)
			return ok && a.GetAction() == etcdserverpb.AlarmRequest_GET
		},
		"lock the compaction of etcd: ":        func(r any) bool { _, ok := r.(*etcdserverpb.LeaseGrantRequest); return ok },
		"lock the compaction of etcd: etcdser": func(r any) bool { _, ok := r.(*etcdserverpb.TxnRequest); return ok },
		"compact etcd: ":                       func(r any) bool { _, ok := r.(*etcdserverpb.CompactionRequest); return ok },
		"defragment etcd of etcd: ":            func(r any) bool { _, ok := r.(*etcdserverpb.DefragmentRequest); return ok },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := etcdtest.NewMemory(t)
				var failing atomic.Bool
				failing.Store(true)
				m.Before = func(_ context.Context, request any) error {
					if failing.Load() && broken(request) {
						return status.Error(codes.Internal, "it is broken")
					}
					return nil
				}
				log, told := said()
				s := etcdstore.NewStore(m.Client(t, "store"), etcdstore.Config{}, log)
				defer s.Close()
				has(m, 62*mib, 8*mib, quota)
				ctx, stop := context.WithCancel(t.Context())
				ended := make(chan error, 1)
				go func() { ended <- s.Run(ctx) }()
				time.Sleep(time.Second)
				synctest.Wait()
				if told("; retrying") != 1 || told(strings.TrimSuffix(name, "etcdser")) != 1 || told("it is broken") != 1 {
					t.Error("what was broken was not logged")
				}
				failing.Store(false)
				time.Sleep(5 * time.Second)
				synctest.Wait()
				if !slices.Contains(m.Upkeep(), "defragment etcd") {
					t.Errorf("after it was mended, the store did %q", m.Upkeep())
				}
				if told("; retrying") != 1 || told("defragmented an etcd member") != 1 {
					t.Error("what went well was not logged, or as broken")
				}
				stop()
				if err := <-ended; err != nil || told("; retrying") != 1 {
					t.Errorf("after it was told to stop, Run returned %v", err)
				}
			})
		})
	}
}

func TestFailedDisarmIsLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := etcdtest.NewMemory(t)
		m.Before = func(_ context.Context, request any) error {
			if a, ok := request.(*etcdserverpb.AlarmRequest); ok && a.GetAction() == etcdserverpb.AlarmRequest_DEACTIVATE {
				return status.Error(codes.Internal, "it is broken")
			}
			return nil
		}
		log, told := said()
		s := etcdstore.NewStore(m.Client(t, "store"), etcdstore.Config{}, log)
		defer s.Close()
		m.Set("etcd", func(e *etcdtest.Member) { e.Alarm, e.Quota = true, quota })
		keep(t, s)
		time.Sleep(5*time.Second - 1)
		synctest.Wait()
		if told("disarm etcd's alarm: ") != 1 {
			t.Error("that the alarm cannot be lifted is not logged")
		}
	})
}
