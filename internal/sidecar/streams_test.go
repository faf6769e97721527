package sidecar_test

import (
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/types/known/anypb"

	"carillon/internal/sidecar"
)

func TestEachAppHasOwnStreams(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, sidecar.Config{AnyApp: true, Streams: 2, Apps: []sidecar.App{{ID: "x"}, {ID: "y"}}})
		got := make(map[string]int)
		open, _ := f.scheduler.connected()
		for _, w := range open {
			got[w.initial.GetAppId()]++
		}
		if len(open) != 4 || got["x"] != 2 || got["y"] != 2 {
			t.Errorf("the streams are %v, want 2 of x and 2 of y", got)
		}
	})
}

func TestBrokenStreamReopensWhileCallsContinue(t *testing.T) {
	bubble(t, func(t *testing.T) {
		release := make(chan struct{})
		var finished bool
		f, _ := startWithApp(t, sidecar.App{}, func(http.ResponseWriter, *http.Request) {
			<-release
			finished = true
		})
		w := f.scheduler.stream()
		w.trigger(1, "a", nil)
		synctest.Wait()
		w.cut()
		synctest.Wait()
		if open, _ := f.scheduler.connected(); len(open) != 2 {
			t.Errorf("%d streams are open, want 2", len(open))
		}
		time.Sleep(750 * time.Millisecond)
		synctest.Wait()
		open, _ := f.scheduler.connected()
		if len(open) != 3 {
			t.Errorf("%d streams are open, want 3", len(open))
		}
		close(release)
		synctest.Wait()
		if !finished {
			t.Error("the call did not go on")
		}
		for _, o := range open {
			o.wantNoResult(t, "a call of another connection")
		}
	})
}

func TestTriggersPerStreamAreLimited(t *testing.T) {
	bubble(t, func(t *testing.T) {
		release := make(chan struct{})
		f, _ := startWithApp(t, sidecar.App{Protocol: "h2c", MaxConcurrency: 1}, func(http.ResponseWriter, *http.Request) {
			<-release
		})
		w := f.scheduler.stream()
		const sent = 50_000
		data := &anypb.Any{Value: make([]byte, 100)}
		var written atomic.Int32
		go func() {
			for i := range sent {
				select {
				case w.send <- jobTrigger(uint64(i), "a", data):
					written.Add(1)
				case <-release:
					return
				}
			}
		}()
		synctest.Wait()
		if n := written.Load(); n < 6_000 || n == sent {
			t.Errorf("%d triggers of %d were taken, want no fewer than 6000, and not all", n, sent)
		}
		f.stop()
		close(release)
	})
}
