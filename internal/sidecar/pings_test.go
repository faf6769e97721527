package sidecar_test

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	runtimev1 "github.com/dapr/dapr/pkg/proto/runtime/v1"
	"google.golang.org/grpc/connectivity"

	"carillon/internal/sidecar"
)

// A cable is a connection that can be cut without notice to either side.
type cable struct {
	net.Conn
	cut    *atomic.Bool
	closed chan struct{}
	close  func() error
}

func newCable(conn net.Conn, cut *atomic.Bool) *cable {
	c := &cable{Conn: conn, cut: cut, closed: make(chan struct{})}
	c.close = sync.OnceValue(func() error {
		close(c.closed)
		return conn.Close()
	})
	return c
}

func (c *cable) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if c.cut.Load() {
		<-c.closed
		return 0, net.ErrClosed
	}
	return n, err
}

func (c *cable) Write(b []byte) (int, error) {
	if c.cut.Load() {
		return len(b), nil
	}
	return c.Conn.Write(b)
}

func (c *cable) Close() error { return c.close() }

func TestDeadSchedulerConnectionIsDetected(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := &fixture{network: new(network), t: t, pings: true}
		f.scheduler = newScheduler(t, f.network, schedulerAddress, schedulerAddress)
		var cut atomic.Pointer[atomic.Bool] // of the connections that are made now
		cut.Store(new(atomic.Bool))
		f.dialer = func(ctx context.Context, address string) (net.Conn, error) {
			conn, err := f.dial(ctx, address)
			if err != nil {
				return nil, err
			}
			return newCable(conn, cut.Load()), nil
		}
		f.run(sidecar.Config{Schedulers: []string{schedulerAddress}})
		f.send("DELETE", "/v1.0/jobs/a", "") // so that there is a connection for calls
		cut.Swap(new(atomic.Bool)).Store(true)
		time.Sleep(17 * time.Second)
		synctest.Wait()
		if _, ever := f.scheduler.connected(); ever != 6 {
			t.Errorf("%d streams were opened, want 3 and, after the cut, 3 more", ever)
		}
		if got := f.send("POST", "/v1.0/jobs/a", `{"dueTime":"1s"}`); got.code != 204 {
			t.Errorf("POST = %d %s, want 204", got.code, got.body)
		}
	})
}

func TestIdleGRPCAPIConnectionIsClosed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := &fixture{network: new(network), t: t, pings: true}
		f.run(sidecar.Config{})
		conn := f.grpc()
		_, _ = runtimev1.NewDaprClient(conn).GetJob(t.Context(), &runtimev1.GetJobRequest{Name: "a"})
		time.Sleep(2 * time.Minute)
		if got := conn.GetState(); got != connectivity.Ready {
			t.Errorf("after two minutes the connection is %v, want ready", got)
		}
		time.Sleep(time.Minute + time.Second)
		if got := conn.GetState(); got != connectivity.Idle {
			t.Errorf("after three minutes the connection is %v, want idle", got)
		}
	})
}
