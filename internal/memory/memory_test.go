package memory_test

import (
	"errors"
	"math"
	"os"
	"reflect"
	"runtime/debug"
	"strings"
	"testing"

	"carillon/internal/memory"
)

var kinds = []memory.ProcessKind{
	memory.Scheduler, memory.SchedulerWithEtcd, memory.SchedulerOnEtcd, memory.AllInOne, memory.Sidecar,
}

func divide(t *testing.T, n int64, k memory.ProcessKind) memory.Shares {
	t.Helper()
	s, err := memory.Limit{Bytes: n, Source: "a test"}.Divide(k)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestSharesFitLimit holds that all shares together leave a quarter of Go's heap to what no
// share counts, 16 MiB at least, and the program and the kernel something outside of it.
func TestSharesFitLimit(t *testing.T) {
	for _, k := range kinds {
		for _, n := range []int64{k.Floor(), 128 << 20, 256 << 20, 512 << 20, 1 << 30, 2 << 30, 64 << 30} {
			if n < k.Floor() {
				continue
			}
			s := divide(t, n, k)
			if spare := n - s.GoLimit - s.Outside(); spare < 24<<20 {
				t.Errorf("%s with %s: %s for the program and the kernel, want 24Mi at least", k, memory.Format(n), memory.Format(spare))
			}
			if spare := s.GoLimit - s.Heap(); spare < max(s.GoLimit/4, 16<<20) {
				t.Errorf("%s with %s: %s of %s of Go's heap for all that is not counted, want a quarter and 16Mi at least",
					k, memory.Format(n), memory.Format(spare), memory.Format(s.GoLimit))
			}
			if s.Ballast > s.GoLimit/2 {
				t.Errorf("%s with %s: a ballast of %s in %s", k, memory.Format(n), memory.Format(s.Ballast), memory.Format(s.GoLimit))
			}
		}
	}
}

func TestSharesGrowWithLimit(t *testing.T) {
	for _, k := range kinds {
		before := reflect.ValueOf(divide(t, k.Floor(), k))
		for n := k.Floor(); n < 64<<30; n += n / 7 {
			now := reflect.ValueOf(divide(t, n, k))
			for i := range now.NumField() {
				if now.Field(i).Int() < before.Field(i).Int() {
					t.Errorf("%s with %s: %s shrinks from %d to %d",
						k, memory.Format(n), now.Type().Field(i).Name, before.Field(i).Int(), now.Field(i).Int())
				}
			}
			before = now
		}
	}
}

// TestLargeHostsKeepDefaults holds that shares of the default limit are what was there without
// shares, where speed depends on it.
func TestLargeHostsKeepDefaults(t *testing.T) {
	for _, k := range []memory.ProcessKind{memory.Scheduler, memory.AllInOne} {
		s := divide(t, memory.Default, k)
		if s.Cache != 64<<20 || s.MemTable != 16<<20 || s.Ballast != 24<<20 {
			t.Errorf("%s: cache %d, memtable %d, ballast %d; want 64, 16 and 24 MiB", k, s.Cache, s.MemTable, s.Ballast)
		}
	}
	if s := divide(t, memory.Default, memory.SchedulerWithEtcd); s.RaftEntries < 2000 || s.BackendBatch != 10_000 {
		t.Errorf("etcd: %d entries, %d changes; want 2000 at least, and 10000", s.RaftEntries, s.BackendBatch)
	}
	if s := divide(t, memory.Default, memory.Sidecar); s.SidecarTriggers < 192<<20 || s.SidecarCalls < 256<<20 {
		t.Errorf("sidecar: %d for triggers, %d for calls; want 192 and 256 MiB at least", s.SidecarTriggers, s.SidecarCalls)
	}
}

func TestLimitBelowMinimumIsRefused(t *testing.T) {
	for _, k := range kinds {
		l := memory.Limit{Bytes: k.Floor() - 1, Source: "/sys/fs/cgroup/memory.max"}
		_, err := l.Divide(k)
		if _, ok := errors.AsType[*memory.FloorError](err); !ok {
			t.Fatalf("%s with %d bytes: %v, want a FloorError", k, l.Bytes, err)
		}
		for _, part := range []string{l.Source, k.String(), memory.Format(k.Floor()), memory.Flag} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("the error %q does not name %q", err, part)
			}
		}
	}
}

func TestRuntimeLimitIsSetAndRestored(t *testing.T) {
	before := debug.SetMemoryLimit(-1)
	s := memory.Shares{GoLimit: math.MaxInt64 / 2, Ballast: 1 << 20}
	release := s.Apply(false)
	if got, want := debug.SetMemoryLimit(-1), s.GoLimit+s.Ballast; got != want {
		t.Errorf("the runtime's limit is %d, want %d", got, want)
	}
	release()
	s.Apply(true)()
	if got := debug.SetMemoryLimit(-1); got != before {
		t.Errorf("afterwards it is %d, want %d", got, before)
	}
}

func TestSizesAreKubernetesQuantities(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0", 500: "500", 1 << 10: "1Ki", 82 << 10: "82Ki", 16 << 20: "16Mi", 3 << 19: "1.5Mi", 2 << 30: "2Gi",
		1832 << 20: "1832Mi", 64 << 30: "64Gi",
	} {
		if got := memory.Format(n); got != want {
			t.Errorf("Format(%d) = %q, want %q", n, got, want)
		}
	}
}

// TestDocumentHasTheFigures compares docs/bounds.md with the code.
func TestDocumentHasTheFigures(t *testing.T) {
	text, err := os.ReadFile("../../docs/bounds.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range memory.Table() {
		if !strings.Contains(string(text), "\n"+line+"\n") {
			t.Errorf("docs/bounds.md has no line\n%s", line)
		}
	}
}
