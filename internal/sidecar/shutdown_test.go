package sidecar_test

import (
	"testing"
	"testing/synctest"
	"time"

	runtimev1 "github.com/dapr/dapr/pkg/proto/runtime/v1"
	"google.golang.org/grpc/metadata"

	"carillon/internal/sidecar"
)

func TestShutdownIsAnsweredBeforeItIsPassedOn(t *testing.T) {
	bubble(t, func(t *testing.T) {
		asked := make(chan bool, 10)
		f := start(t, sidecar.Config{Shutdown: func(forced bool) { asked <- forced }})
		for _, c := range []struct {
			what   string
			ask    func()
			forced bool
		}{
			{"over HTTP", func() {
				if got := f.send("POST", "/v1.0/shutdown", ""); got.code != 204 || got.body != "" {
					t.Errorf("POST = %d %q, want 204 and no body", got.code, got.body)
				}
			}, false},
			{"by force", func() {
				if got := f.send("POST", "/v1.0/shutdown/", "", "Dapr-Force-Shutdown: true"); got.code != 204 {
					t.Errorf("POST = %d, want 204", got.code)
				}
			}, true},
			{"by no force", func() { f.send("POST", "/v1.0/shutdown", "", "dapr-force-shutdown: false") }, false},
			{"over gRPC", func() {
				c := runtimev1.NewDaprClient(f.grpc())
				if _, err := c.Shutdown(t.Context(), &runtimev1.ShutdownRequest{}); err != nil {
					t.Errorf("Shutdown = %v", err)
				}
			}, false},
			{"by force over gRPC", func() {
				c := runtimev1.NewDaprClient(f.grpc())
				ctx := metadata.AppendToOutgoingContext(t.Context(), "dapr-force-shutdown", "true")
				if _, err := c.Shutdown(ctx, &runtimev1.ShutdownRequest{}); err != nil {
					t.Errorf("Shutdown = %v", err)
				}
			}, true},
		} {
			c.ask()
			synctest.Wait()
			if len(asked) > 0 {
				t.Errorf("%s: it was passed on at once, before the answer can have arrived", c.what)
			}
			time.Sleep(100 * time.Millisecond)
			synctest.Wait()
			if len(asked) != 1 {
				t.Fatalf("%s: passed on %d times, want once", c.what, len(asked))
			}
			if forced := <-asked; forced != c.forced {
				t.Errorf("%s: forced %v, want %v", c.what, forced, c.forced)
			}
		}
	})
}

func TestForcedShutdownOvertakesGraceful(t *testing.T) {
	bubble(t, func(t *testing.T) {
		asked := make(chan bool, 10)
		f := start(t, sidecar.Config{Shutdown: func(forced bool) { asked <- forced }})
		for range 5 {
			f.send("POST", "/v1.0/shutdown", "")
		}
		f.send("POST", "/v1.0/shutdown", "", "dapr-force-shutdown: true")
		time.Sleep(time.Second)
		synctest.Wait()
		close(asked)
		count := make(map[bool]int)
		for forced := range asked {
			count[forced]++
		}
		if count[true] != 1 || count[false] < 1 || count[false] > 2 {
			t.Errorf("passed on %d times by force and %d times in good order, want once and once or twice", count[true], count[false])
		}
	})
}

func TestShutdownWithoutCallbackChangesNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, sidecar.Config{})
		if got := f.send("POST", "/v1.0/shutdown", "", "dapr-force-shutdown: true"); got.code != 204 {
			t.Errorf("POST = %d, want 204", got.code)
		}
		time.Sleep(time.Second)
		if got := f.send("GET", "/v1.0/healthz", ""); got.code != 204 {
			t.Errorf("healthz after it = %d, want 204", got.code)
		}
	})
}

func TestRunWaitsForShutdownCallback(t *testing.T) {
	bubble(t, func(t *testing.T) {
		returned := false
		f := start(t, sidecar.Config{Shutdown: func(bool) {
			time.Sleep(time.Minute)
			returned = true
		}})
		f.send("POST", "/v1.0/shutdown", "")
		time.Sleep(time.Second)
		f.stop()
		if !returned {
			t.Error("Run has returned while Shutdown was still running")
		}
	})
}
