package app_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"

	"carillon/internal/memnet"
	"carillon/internal/sidecar"
)

// twin is one of two sidecars of the app sub, each with its own replica of the app.
type twin struct {
	app *recorder

	mu    sync.Mutex // guards the fields below
	dead  bool
	conns []net.Conn // to the scheduler
}

// startTwin runs a twin until the test ends. Its app answers with the status of each job.
func startTwin(t *testing.T, p *peer, status func(name string) int) *twin {
	t.Helper()
	w := &twin{app: newRecorder()}
	w.app.status = status
	s, err := sidecar.New(sidecar.Config{
		Apps: []sidecar.App{{ID: "sub", Address: "app:80"}}, Namespace: "ns", Schedulers: []string{"memory:50006"}, NoPings: true,
	}, sidecar.Dialers{
		Scheduler: func(ctx context.Context, address string) (net.Conn, error) {
			conn, err := p.dial(ctx, address)
			if err != nil {
				return nil, err
			}
			w.mu.Lock()
			defer w.mu.Unlock()
			if w.dead {
				conn.Close()
				return nil, errors.New("dead")
			}
			w.conns = append(w.conns, conn)
			return conn, nil
		},
		App: func(ctx context.Context, _ string) (net.Conn, error) { return w.app.listener.DialContext(ctx) },
	}, slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx, sidecar.Listeners{HTTP: []net.Listener{memnet.Listen()}}) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run = %v, want nil", err)
		}
		_ = w.app.Close()
	})
	synctest.Wait()
	return w
}

// kill looks to the scheduler like kill -9: the connections end without a message.
func (w *twin) kill() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.dead = true
	for _, c := range w.conns {
		c.Close()
	}
}

func handled(string) int { return http.StatusOK }

func (p *peer) scheduleSoon(prefix string, n int) {
	p.t.Helper()
	for i := range n {
		p.schedule(fmt.Sprint(prefix, i), jobMeta("sub"), &schedulerv1.Job{DueTime: new("1s")})
	}
}

func TestSidecarsOfOneAppShareTriggers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := startScheduler(t, vfs.NewMem())
		t.Cleanup(p.stop)
		a, b := startTwin(t, p, handled), startTwin(t, p, handled)
		p.scheduleSoon("job", 60)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if a, b := len(a.app.requests()), len(b.app.requests()); a != 30 || b != 30 {
			t.Errorf("the sidecars got %d and %d triggers, want 30 each: they have three streams each", a, b)
		}
	})
}

func TestKilledSidecarsTriggersGoToTheOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := startScheduler(t, vfs.NewMem())
		t.Cleanup(p.stop)
		release := make(chan struct{})
		a := startTwin(t, p, func(string) int {
			<-release
			return http.StatusOK
		})
		t.Cleanup(func() { close(release) })
		b := startTwin(t, p, handled)
		p.scheduleSoon("job", 60)
		time.Sleep(time.Hour)
		synctest.Wait()
		hanging := make(map[string]bool)
		for _, r := range a.app.requests() {
			hanging[r.path] = true
		}
		if done := len(b.app.requests()); len(hanging) != 30 || done != 30 {
			t.Errorf("%d triggers hang and %d were handled, want 30 and 30", len(hanging), done)
		}
		a.kill()
		synctest.Wait()
		for _, r := range b.app.requests() {
			if !hanging[r.path] {
				t.Errorf("%s was delivered again, and was not in flight", r.path)
			}
			delete(hanging, r.path)
		}
		if len(hanging) > 0 {
			t.Errorf("not delivered again: %v", hanging)
		}
		for i := range 60 {
			if name := fmt.Sprint("job", i); p.exists(name, jobMeta("sub")) {
				t.Errorf("%s is still there", name)
			}
		}
	})
}
