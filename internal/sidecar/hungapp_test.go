package sidecar_test

import (
	"io"
	"net/http"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/protobuf/types/known/anypb"

	"carillon/internal/sidecar"
)

// inUse returns the bytes of memory in use, including goroutines.
func inUse() int64 {
	runtime.GC()
	runtime.GC() // the second run frees what pools keep
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}

func TestHungAppTakesBoundedMemory(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const (
			each = 2 << 20 // the largest data of a job, in bytes
			fit  = 24      // of them are 48 MiB: the other app's stream keeps its share of 16 MiB
			sent = 64
		)
		r := prometheus.NewPedanticRegistry()
		f := newFixture(t)
		release := make(chan struct{})
		hangs := &http.Server{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			<-release // before it has read anything
			_, _ = io.Copy(io.Discard, r.Body)
		})}
		l := f.listen("hangs:1")
		go func() { _ = hangs.Serve(l) }()
		defer hangs.Close()
		seen := f.app(t, ok)
		f.run(sidecar.Config{
			Apps:   []sidecar.App{{ID: "sub", Address: appAddress}, {ID: "hangs", Address: "hangs:1"}},
			AnyApp: true, Schedulers: []string{schedulerAddress}, Streams: 1, Metrics: r,
		})
		before := inUse()
		data := &anypb.Any{Value: make([]byte, each)}
		open, _ := f.scheduler.connected()
		other, hanging := open[0], open[1]
		if other.initial.GetAppId() != "sub" {
			other, hanging = hanging, other
		}
		for i := range sent {
			hanging.trigger(uint64(i), "a", data)
		}
		synctest.Wait()
		wantSeries(t, "at the bound", series(r, "carillon_sidecar_triggers_in_work"),
			`carillon_sidecar_triggers_in_work{app_id="hangs"} 24`)
		// Beside the triggers in flight: one that waits, and the buffers of HTTP/2 at both ends.
		if used, most := inUse()-before, int64((fit+16)*each); used > most {
			t.Errorf("%d MiB are in use, want no more than %d", used>>20, most>>20)
		}
		for i := range uint64(100) {
			other.trigger(i, "b", nil)
			other.wantResult(t, "another app's trigger", i, true)
		}
		if n := len(seen()); n != 100 {
			t.Errorf("the other app got %d triggers, want 100", n)
		}

		close(release)
		synctest.Wait()
		for range sent {
			if _, succeeded := hanging.result(t); !succeeded {
				t.Error("a trigger failed that had to wait")
			}
		}
	})
}

func TestTenThousandWaitingTriggersAreCheap(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const sent = 9_990
		r := prometheus.NewPedanticRegistry()
		f := newFixture(t)
		f.app(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		f.run(sidecar.Config{
			Apps: []sidecar.App{{ID: "sub", Address: appAddress}}, Schedulers: []string{schedulerAddress}, Metrics: r,
		})
		before := inUse()
		open, _ := f.scheduler.connected()
		for i := range sent {
			open[i%3].send <- jobTrigger(uint64(i), "a", nil)
		}
		synctest.Wait()
		wantSeries(t, "all of them", series(r, "carillon_sidecar_triggers_in_work"),
			`carillon_sidecar_triggers_in_work{app_id="sub"} 9990`)
		if used := inUse() - before; used > sent*(32<<10) {
			t.Errorf("%d KiB are in use for each trigger, want no more than 32", used>>10/sent)
		} else {
			t.Logf("%d KiB are in use for each trigger", used>>10/sent)
		}
		began := time.Now()
		f.stop()
		if d := time.Since(began); d > time.Second {
			t.Errorf("stopping took %v", d)
		}
	})
}
