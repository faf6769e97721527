package scheduler_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"testing"
	"testing/synctest"
	"time"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"carillon/internal/dispatch"
	"carillon/internal/job"
	"carillon/internal/scheduler"
)

func TestStopEndsAllStreamsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := run(t)
		e := newEngine(n)
		working, silent := n.watch(t, hello("ns", "app")), n.watch(t, nil)
		hosts, err := n.WatchHosts(t.Context(), new(schedulerv1.WatchHostsRequest))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := hosts.Recv(); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		e.mustDeliver(t, appTarget("ns", "app"), "out")
		recv(t, working)

		before := time.Now()
		n.stop()
		_, err = working.Recv()
		wantStatus(t, "a stream at work", err, codes.Unknown, "server is closing")
		_, err = silent.Recv()
		wantStatus(t, "a stream that said nothing", err, codes.Unknown, "server is closing")
		_, err = hosts.Recv()
		wantStatus(t, "hosts", err, codes.Unknown, "cron closed")
		n.end(t)
		if took := time.Since(before); took > time.Second {
			t.Errorf("took %v", took)
		}
		e.want(t, map[string]job.Outcome{"out": job.Lost})
	})
}

func TestStopIsBoundedDespiteHangingClients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := run(t)
		e := newEngine(n)
		n.watch(t, hello("ns", "app")) // never reads
		mute, err := n.listener.Dial() // never speaks
		if err != nil {
			t.Fatal(err)
		}
		defer mute.Close()
		synctest.Wait()
		for e.deliver(appTarget("ns", "app"), "x") {
		}
		synctest.Wait()
		before := time.Now()
		n.stop()
		n.end(t)
		if took := time.Since(before); took > 5*time.Second {
			t.Errorf("took %v", took)
		}
		if got := n.dispatch.Stats(); got.InFlight != 0 || got.Streams != 0 {
			t.Errorf("left behind: %+v", got)
		}
	})
}

func TestIdleStreamSurvivesADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := run(t)
		e := newEngine(n)
		stream := n.watch(t, hello("ns", "app"))
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		e.mustDeliver(t, appTarget("ns", "app"), "a")
		recv(t, stream)
	})
}

// Dapr's sidecars would ping this often, if the server did not.
func TestPingingClientIsNotDisconnected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := run(t)
		pings := keepalive.ClientParameters{Time: 10 * time.Second, Timeout: 5 * time.Second, PermitWithoutStream: true}
		conn := n.client(t, grpc.WithKeepaliveParams(pings))
		defer conn.Close()
		conn.Connect()
		time.Sleep(10 * time.Minute)
		stream, err := schedulerv1.NewSchedulerClient(conn).WatchHosts(t.Context(), new(schedulerv1.WatchHostsRequest))
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Minute)
		if _, err := stream.Recv(); err != nil {
			t.Error(err)
		}
		if got := n.dials.Load(); got != 1 {
			t.Errorf("dialed %d times, want once", got)
		}
	})
}

func TestDeadClientIsDetected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := run(t, scheduler.Keepalive())
		e := newEngine(n)
		n.watch(t, hello("ns", "app"))
		synctest.Wait()
		e.mustDeliver(t, appTarget("ns", "app"), "a")
		n.hang()
		time.Sleep(8*time.Second + 1)
		e.want(t, map[string]job.Outcome{"a": job.Lost})
	})
}

func TestBrokenListenerEndsRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := scheduler.New(scheduler.Config{}, new(memory), dispatch.New(dispatch.Config{}), slog.New(slog.DiscardHandler))
		if err := s.Run(t.Context(), broken{}); !errors.Is(err, errBroken) {
			t.Errorf("Run: %v, want %v", err, errBroken)
		}
	})
}

func TestRunWithEndedContextReturnsNil(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		s := scheduler.New(scheduler.Config{}, new(memory), dispatch.New(dispatch.Config{}), slog.New(slog.DiscardHandler))
		if err := s.Run(ctx, bufconn.Listen(1)); err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

var errBroken = errors.New("broken")

type broken struct{}

func (broken) Accept() (net.Conn, error) { return nil, errBroken }
func (broken) Close() error              { return nil }
func (broken) Addr() net.Addr            { return new(net.UnixAddr) }

// A client that never gets to the point is cut off: before it has a connection, and before it has
// asked.
func TestClientWithoutMessageTimesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := run(t)
		conn, err := n.listener.Dial()
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		began := time.Now()
		for buffer := make([]byte, 1<<10); err == nil; _, err = conn.Read(buffer) {
		}
		if took := time.Since(began); took > 11*time.Second {
			t.Errorf("a connection that is none lasted %v", took)
		}
		began = time.Now()
		slow, err := n.conn.NewStream(t.Context(), &grpc.StreamDesc{ClientStreams: true}, schedulerv1.Scheduler_GetJob_FullMethodName)
		if err != nil {
			t.Fatal(err)
		}
		err = slow.RecvMsg(new(schedulerv1.GetJobResponse))
		if took := time.Since(began); status.Code(err) != codes.DeadlineExceeded || took > 6*time.Minute {
			t.Errorf("a call that asks for nothing ended after %v with %v", took, err)
		}
	})
}
