package sidecarcmd

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"carillon/internal/memnet"
	"carillon/internal/nodecmd"
	"carillon/internal/roleflag"
	"carillon/internal/terminal/terminaltest"
)

// stopping describes how a node ends: takes is the time of its shutdown.
type stopping struct {
	args   []string
	takes  time.Duration
	forced bool
	want   error
	after  time.Duration
}

func TestShutdownTimeIsBoundedByFlags(t *testing.T) {
	for name, c := range map[string]stopping{
		"at once":            {nil, 0, false, nil, 0},
		"in time":            {nil, 4 * time.Second, false, nil, 4 * time.Second},
		"too late":           {nil, time.Hour, false, errOverdue, 5 * time.Second},
		"a bound of its own": {[]string{"--dapr-graceful-shutdown-seconds=60"}, time.Hour, false, errOverdue, time.Minute},
		"no bound":           {[]string{"--dapr-graceful-shutdown-seconds=0"}, time.Hour, false, nil, time.Hour},
		"a bound below 0":    {[]string{"--dapr-graceful-shutdown-seconds=-7"}, time.Hour, false, errOverdue, 5 * time.Second},
		"blocked": {
			[]string{"--dapr-block-shutdown-duration=1m", "--dapr-graceful-shutdown-seconds=1"},
			time.Hour, false, errOverdue, 61 * time.Second,
		},
		"by force": {nil, time.Hour, true, nodecmd.ErrForced, time.Second},
	} {
		t.Run(name, func(t *testing.T) { synctest.Test(t, func(t *testing.T) { c.check(t) }) })
	}
}

func (c stopping) check(t *testing.T) {
	fs, flags := sidecarFlags()
	std, _, _ := terminaltest.Streams()
	if err := roleflag.Parse(fs, usage, c.args, std); err != nil {
		t.Fatal(err)
	}
	test, over := context.WithCancel(t.Context()) // ends the node at the end of the test
	defer over()
	node := func(ctx context.Context) error {
		<-ctx.Done()
		select {
		case <-time.After(c.takes):
		case <-test.Done():
		}
		return nil
	}
	ctx, stop := context.WithCancelCause(t.Context())
	forced := make(chan struct{})
	time.AfterFunc(time.Minute, func() {
		if !c.forced {
			stop(errRequested)
			return
		}
		time.Sleep(c.after)
		close(forced)
	})
	begin := time.Now()
	err := flags.supervise(ctx, node, forced, slog.New(slog.DiscardHandler))
	stop(nil)
	if took := time.Since(begin) - time.Minute; !errors.Is(err, c.want) || took != c.after {
		t.Errorf("it ended with %v after %v, want %v after %v", err, took, c.want, c.after)
	}
}

func TestFailedNodeEndsSidecar(t *testing.T) {
	_, c := sidecarFlags()
	broken := errors.New("the listener is gone")
	err := c.supervise(t.Context(), func(context.Context) error { return broken }, nil, slog.New(slog.DiscardHandler))
	if !errors.Is(err, broken) {
		t.Errorf("it ended with %v, want %v", err, broken)
	}
}

func TestLogSaysWhySidecarStops(t *testing.T) {
	for want, cause := range map[string]error{
		`level=INFO msg="Received signal 'interrupt'; beginning shutdown"`:  nodecmd.SignalError{Signal: os.Interrupt},
		`level=INFO msg="Received signal 'terminated'; beginning shutdown"`: nodecmd.SignalError{Signal: syscall.SIGTERM},
		`level=INFO msg="Received shutdown request; beginning shutdown"`:    errRequested,
	} {
		var log bytes.Buffer
		ctx, stop := context.WithCancelCause(t.Context())
		stop(cause)
		_, c := sidecarFlags()
		run := func(ctx context.Context) error { <-ctx.Done(); return nil }
		if err := c.supervise(ctx, run, nil, slog.New(slog.NewTextHandler(&log, nil))); err != nil {
			t.Error(err)
		}
		if !strings.Contains(log.String(), want) {
			t.Errorf("after %v the log says %s, want %s", cause, &log, want)
		}
	}
}

func TestWaitEndsOnAnswerOrAfterAMinute(t *testing.T) {
	for name, c := range map[string]struct {
		ready time.Duration // when the sidecar becomes ready
		after time.Duration
		fails bool
	}{
		"ready":     {0, 0, false},
		"not yet":   {time.Second, time.Second, false},
		"never":     {time.Hour, time.Minute, true},
		"just late": {time.Minute + time.Second, time.Minute, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := memnet.Listen()
				begin := time.Now()
				server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					if time.Since(begin) < c.ready {
						w.WriteHeader(http.StatusInternalServerError)
					} else {
						w.WriteHeader(http.StatusNoContent)
					}
				})}
				go func() { _ = server.Serve(l) }()
				defer server.Close()
				client := &http.Client{Transport: &http.Transport{
					DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return l.DialContext(ctx) },
				}}
				defer client.CloseIdleConnections()
				std, out, errs := terminaltest.Streams()
				err := waitOutbound(t.Context(), client, "http://sidecar/v1.0/healthz/outbound", std)
				if took := time.Since(begin); (err != nil) != c.fails || took != c.after {
					t.Errorf("it ended with %v after %v, want %v, failing: %v", err, took, c.after, c.fails)
				}
				if out.Len() > 0 || !strings.Contains(errs.String(), "waiting for a sidecar") {
					t.Errorf("stdout: %s, stderr: %s", out, errs)
				}
			})
		})
	}
}
