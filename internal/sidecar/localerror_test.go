package sidecar_test

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"carillon/internal/logtest"
	"carillon/internal/sidecar"
)

// A shortage makes dialing fail with a local error.
type shortage struct {
	mu    sync.Mutex // guards the fields below
	err   error
	conns []net.Conn
}

// begin makes dialing fail with err, and closes all connections.
func (s *shortage) begin(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
	for _, conn := range s.conns {
		conn.Close()
	}
}

func (s *shortage) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = nil
}

// dial fails as long as the shortage lasts.
func (s *shortage) dial(n *network) sidecar.Dialer {
	return func(ctx context.Context, address string) (net.Conn, error) {
		s.mu.Lock()
		err := s.err
		s.mu.Unlock()
		if err != nil {
			return nil, err
		}
		conn, err := n.dial(ctx, address)
		if err == nil {
			s.mu.Lock()
			s.conns = append(s.conns, conn)
			s.mu.Unlock()
		}
		return conn, err
	}
}

// localErrors returns dial errors that say nothing about the app.
func localErrors() map[string]error {
	all := map[string]error{
		"a canceled context": context.Canceled,
		"a look-up": &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{
			Name: "app", Err: "dial udp 127.0.0.53:53: socket: too many open files",
		}},
	}
	for _, errno := range []syscall.Errno{
		syscall.EMFILE, syscall.ENFILE, syscall.EADDRNOTAVAIL, syscall.ENOBUFS, syscall.ENOMEM, syscall.ENOSPC,
	} {
		all[errno.Error()] = &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("socket", errno)}
	}
	return all
}

func TestLocalErrorIsNotAppFailure(t *testing.T) {
	for _, protocol := range []string{"http", "h2c", "grpc"} {
		for name, local := range localErrors() {
			t.Run(protocol+"/"+name, func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					var calls atomic.Int32
					f := &fixture{network: new(network), t: t}
					if protocol == "grpc" {
						(&grpcApp{stable: func(context.Context) error { calls.Add(1); return nil }}).serve(f)
					} else {
						f.app(t, func(http.ResponseWriter, *http.Request) { calls.Add(1) })
					}
					f.scheduler = newScheduler(t, f.network, schedulerAddress, schedulerAddress)
					var short shortage
					r := prometheus.NewPedanticRegistry()
					f.appDialer = short.dial(f.network)
					f.run(sidecar.Config{
						Apps:       []sidecar.App{{ID: "sub", Address: appAddress, Protocol: protocol}},
						Schedulers: []string{schedulerAddress}, Metrics: r,
					})
					time.Sleep(2 * time.Second)
					short.begin(local)
					w := f.scheduler.stream()
					w.trigger(1, "a", nil)
					time.Sleep(time.Minute)
					w.wantNoResult(t, "a call that cannot be made")
					short.end()
					time.Sleep(4 * time.Second)
					w.wantResult(t, "the call", 1, true)
					if n := calls.Load(); n != 1 {
						t.Errorf("the app was called %d times, want once", n)
					}
					for _, line := range series(r, "carillon_sidecar_attempts_total") {
						if strings.Contains(line, "failed") {
							t.Errorf("an attempt counts as failed: %s", line)
						}
					}
				})
			})
		}
	}
}

func TestWaitingTriggerEndsWithStream(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var short shortage
		f := &fixture{network: new(network), t: t}
		f.scheduler = newScheduler(t, f.network, schedulerAddress, schedulerAddress)
		seen := f.app(t, ok)
		f.appDialer = short.dial(f.network)
		f.run(sidecar.Config{Apps: []sidecar.App{{ID: "sub", Address: appAddress}}, Schedulers: []string{schedulerAddress}})
		short.begin(syscall.EMFILE)
		w := f.scheduler.stream()
		w.trigger(1, "a", nil)
		time.Sleep(time.Minute)
		w.cut() // the scheduler ends the stream, and delivers the trigger over another one
		time.Sleep(time.Minute)
		short.end()
		time.Sleep(time.Minute)
		if got := seen(); len(got) != 0 {
			t.Errorf("the app got %+v from a stream that had ended", got)
		}
	})
}

func TestLocalErrorLeavesHealthUnchanged(t *testing.T) {
	for _, protocol := range []string{"http", "grpc"} {
		t.Run(protocol, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				var p healthApp
				var short shortage
				f := newFixture(t)
				p.serve(f, appAddress, protocol)
				f.appDialer = short.dial(f.network)
				f.run(sidecar.Config{Apps: []sidecar.App{checked(protocol)}, Schedulers: []string{schedulerAddress}})
				f.wantStreams("healthy", 3, 3)
				short.begin(syscall.EMFILE)
				time.Sleep(time.Minute)
				f.wantStreams("it cannot be asked", 3, 3)
			})
		})
	}
}

func TestFailuresAreLogged(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var log logtest.Page
		f := newFixture(t)
		f.log = slog.New(slog.NewTextHandler(&log, nil))
		f.app(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
		f.run(sidecar.Config{Apps: []sidecar.App{{ID: "sub", Address: appAddress}}, Schedulers: []string{schedulerAddress}})
		w := f.scheduler.stream()
		for id := range uint64(14) {
			w.trigger(id, "a", nil)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		for _, want := range []string{
			`level=WARN msg="the app did not handle a trigger" component=sidecar app=sub job=a`,
			`level=WARN msg="the app did not handle a trigger" component=sidecar app=sub count=13 job=a`,
		} {
			if n := strings.Count(log.String(), want); n != 1 {
				t.Errorf("the log says %d times %q, want once:\n%s", n, want, log.String())
			}
		}
	})
}
