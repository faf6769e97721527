package limits_test

import (
	"context"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"carillon/internal/limits"
)

// A service answers GetJob, refuses DeleteJob, and holds streams until they end.
type service struct {
	schedulerv1.UnimplementedSchedulerServer
}

func (service) DeleteJob(context.Context, *schedulerv1.DeleteJobRequest) (*schedulerv1.DeleteJobResponse, error) {
	return nil, status.Error(codes.PermissionDenied, "no")
}

func (service) GetJob(context.Context, *schedulerv1.GetJobRequest) (*schedulerv1.GetJobResponse, error) {
	return new(schedulerv1.GetJobResponse), nil
}

func (service) WatchJobs(s schedulerv1.Scheduler_WatchJobsServer) error {
	<-s.Context().Done()
	return s.Context().Err()
}

// serve runs a service until the test ends, and returns a connection to it.
func serve(t *testing.T, c limits.Calls) (*grpc.ClientConn, *bufconn.Listener) {
	t.Helper()
	l := bufconn.Listen(1 << 16)
	server := c.NewServer()
	schedulerv1.RegisterSchedulerServer(server, service{})
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	conn, err := grpc.NewClient("passthrough:service", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		conn.Close()
		server.Stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return conn, l
}

func bounds() limits.Calls {
	return limits.Calls{MaxConcurrent: 3, Timeout: time.Minute, MaxHeaderBytes: 8 << 10}
}

func TestCallsAreLimitedOverAllConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn, l := serve(t, bounds())
		ctx, end := context.WithCancel(t.Context())
		client := schedulerv1.NewSchedulerClient(conn)
		for range 3 {
			if _, err := client.WatchJobs(ctx); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		other, err := grpc.NewClient("passthrough:service", grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) }))
		if err != nil {
			t.Fatal(err)
		}
		defer other.Close()
		for _, c := range []*grpc.ClientConn{conn, other} {
			client := schedulerv1.NewSchedulerClient(c)
			if _, err := client.GetJob(t.Context(), new(schedulerv1.GetJobRequest)); status.Code(err) != codes.ResourceExhausted {
				t.Errorf("a call too many: %v, want ResourceExhausted", err)
			}
			s, err := client.WatchJobs(t.Context())
			if err == nil {
				_, err = s.Recv()
			}
			if status.Code(err) != codes.ResourceExhausted {
				t.Errorf("a stream too many: %v, want ResourceExhausted", err)
			}
		}
		end()
		synctest.Wait()
		for range 10 {
			if _, err := client.GetJob(t.Context(), new(schedulerv1.GetJobRequest)); err != nil {
				t.Errorf("when the others have ended: %v", err)
			}
			synctest.Wait()
		}
	})
}

// drip begins a call whose client never sends the message.
func drip(ctx context.Context, t *testing.T, conn *grpc.ClientConn, method string) grpc.ClientStream {
	t.Helper()
	s, err := conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, method)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestCallWithoutMessageTimesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn, _ := serve(t, bounds())
		ctx, end := context.WithCancel(t.Context())
		defer end()
		watching := drip(ctx, t, conn, schedulerv1.Scheduler_WatchJobs_FullMethodName)
		began := time.Now()
		slow := drip(ctx, t, conn, schedulerv1.Scheduler_GetJob_FullMethodName)
		if err := slow.RecvMsg(new(schedulerv1.GetJobResponse)); status.Code(err) != codes.DeadlineExceeded || time.Since(began) != time.Minute {
			t.Errorf("after %v: %v, want DeadlineExceeded after a minute", time.Since(began), err)
		}
		time.Sleep(time.Hour)
		if watching.Context().Err() != nil {
			t.Error("the stream has ended")
		}

		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began = time.Now()
		slow = drip(short, t, conn, schedulerv1.Scheduler_GetJob_FullMethodName)
		if err := slow.RecvMsg(new(schedulerv1.GetJobResponse)); status.Code(err) != codes.DeadlineExceeded || time.Since(began) != time.Second {
			t.Errorf("after %v: %v, want DeadlineExceeded after its own second", time.Since(began), err)
		}
	})
}

func TestCallHeadersAreLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn, _ := serve(t, bounds())
		client := schedulerv1.NewSchedulerClient(conn)
		ask := func(bytes int) error {
			ctx := metadata.AppendToOutgoingContext(t.Context(), "a", strings.Repeat("a", bytes))
			_, err := client.GetJob(ctx, new(schedulerv1.GetJobRequest))
			return err
		}
		if err := ask(7 << 10); err != nil {
			t.Errorf("7 KiB: %v", err)
		}
		if err := ask(9 << 10); err == nil {
			t.Error("9 KiB are taken, of 8")
		}
		if err := ask(1); err != nil {
			t.Errorf("afterwards: %v", err)
		}
	})
}

func TestConnectionWithoutHandshakeIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, l := serve(t, bounds())
		for _, text := range []string{"", "PRI * HTTP/2.0\r\n\r", "GET / HTTP/1.1\r\nHost: a\r\n"} {
			c, err := l.DialContext(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			if _, err := c.Write([]byte(text)); err != nil {
				t.Fatal(err)
			}
			buffer := make([]byte, 1<<10)
			for err == nil {
				_, err = c.Read(buffer)
			}
			if took := time.Since(began); took > limits.HandshakeTimeout {
				t.Errorf("after %q the connection lasted %v", text, took)
			}
			c.Close()
		}
	})
}
