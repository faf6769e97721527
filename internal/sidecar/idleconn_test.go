package sidecar_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	runtimev1 "github.com/dapr/dapr/pkg/proto/runtime/v1"
	"golang.org/x/net/http2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"

	"carillon/internal/sidecar"
)

const (
	occurrences = 1200
	idle        = 10 * time.Millisecond // after which an app closes a connection
)

// errIdle is the error of a connection that was idle for too long when a request arrived.
var errIdle = errors.New("the connection was idle")

// An idleApp closes an idle connection just as a request arrives on it.
type idleApp struct{ hungUp, answered atomic.Int32 }

// serve returns a function that serves a connection.
func (a *idleApp) serve(protocol string) func(net.Conn) {
	return func(conn net.Conn) {
		last := time.Time{} // of an answer on this connection
		crossed := func() bool {
			if !last.IsZero() && time.Since(last) >= idle {
				a.hungUp.Add(1)
				return true
			}
			last = time.Now()
			a.answered.Add(1)
			return false
		}
		if protocol != "http" {
			serveHTTP2(conn, stall{}, new(atomic.Bool), func(f *http2.Framer, stream uint32) error {
				if crossed() {
					return errIdle
				}
				if protocol == "grpc" {
					return answerGRPC(f, stream)
				}
				return answerH2C(f, stream)
			})
			return
		}
		in := bufio.NewReader(conn)
		for {
			r, err := http.ReadRequest(in)
			if err != nil || crossed() {
				return
			}
			_, _ = io.Copy(io.Discard, r.Body)
			if _, err := io.WriteString(conn, "HTTP/1.1 204 No Content\r\n\r\n"); err != nil {
				return
			}
		}
	}
}

func TestIdleCloseFailsNoOccurrence(t *testing.T) {
	for _, protocol := range []string{"http", "h2c", "grpc"} {
		t.Run(protocol, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				var a idleApp
				f := startRawAs(t, protocol, a.serve(protocol))
				w := f.scheduler.stream()
				for id := range uint64(occurrences) {
					w.trigger(id, "a", nil)
					w.wantResult(t, fmt.Sprint("occurrence ", id), id, true)
					time.Sleep(idle)
				}
				if hungUp, answered := a.hungUp.Load(), a.answered.Load(); hungUp < occurrences/2 || answered != occurrences {
					t.Errorf("the app hung up on %d requests and answered %d, want most and %d", hungUp, answered, occurrences)
				}
				f.stop()
			})
		})
	}
}

// If a connection without any answer fails, the app may have begun to handle the trigger.
func TestNewConnectionFailureIsNotRetried(t *testing.T) {
	for _, protocol := range []string{"http", "h2c", "grpc"} {
		t.Run(protocol, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				var requests atomic.Int32
				f := startRawAs(t, protocol, func(conn net.Conn) {
					if protocol != "http" {
						serveHTTP2(conn, stall{}, new(atomic.Bool), func(*http2.Framer, uint32) error {
							requests.Add(1)
							return errIdle
						})
					} else if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
						requests.Add(1)
					}
				})
				w := f.scheduler.stream()
				w.trigger(1, "a", nil)
				time.Sleep(time.Second)
				w.wantResult(t, "an app that hangs up", 1, false)
				if n := requests.Load(); n != 1 {
					t.Errorf("the app got %d requests, want 1", n)
				}
				f.stop()
			})
		})
	}
}

// It needs sockets and real servers, which close idle connections.
func TestIdleTimeoutOfServerFailsNoOccurrence(t *testing.T) {
	for _, protocol := range []string{"http", "h2c", "grpc"} {
		t.Run(protocol, func(t *testing.T) {
			l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			if protocol == "grpc" {
				server := grpc.NewServer(grpc.KeepaliveParams(keepalive.ServerParameters{
					MaxConnectionIdle: idle, MaxConnectionAgeGrace: time.Millisecond,
				}))
				runtimev1.RegisterAppCallbackServer(server, &grpcApp{stable: works})
				go func() { _ = server.Serve(l) }()
				defer server.Stop()
			} else {
				server := &http.Server{Handler: http.HandlerFunc(ok), IdleTimeout: idle, Protocols: new(http.Protocols)}
				server.Protocols.SetHTTP1(true)
				server.Protocols.SetUnencryptedHTTP2(true)
				go func() { _ = server.Serve(l) }()
				defer server.Close()
			}
			w, stop := overTCP(t, sidecar.App{ID: "sub", Address: l.Addr().String(), Protocol: protocol})
			defer stop()
			const at = 24 // once
			for id := uint64(0); id < occurrences; {
				for range at {
					w.trigger(id, "a", nil)
					id++
				}
				for range at {
					if r := <-w.results; r.GetStatus() != 0 {
						t.Fatalf("occurrence %d failed", r.GetId())
					}
				}
				// About when they are closed.
				time.Sleep(idle - time.Millisecond + time.Duration(id%200)*10*time.Microsecond)
			}
		})
	}
}

// overTCP runs a sidecar that calls an app over TCP, and returns a stream of its scheduler.
func overTCP(t *testing.T, a sidecar.App) (w *watcher, stop func()) {
	t.Helper()
	n := new(network)
	s := newScheduler(t, n, schedulerAddress, schedulerAddress)
	side, err := sidecar.New(sidecar.Config{
		Apps: []sidecar.App{a}, Namespace: "default", Schedulers: []string{schedulerAddress}, Streams: 1, NoPings: true,
	}, sidecar.Dialers{Scheduler: n.dial}, slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- side.Run(ctx, sidecar.Listeners{}) }()
	for w == nil {
		if open, _ := s.connected(); len(open) > 0 {
			w = open[0]
		}
		time.Sleep(time.Millisecond)
	}
	return w, func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}
