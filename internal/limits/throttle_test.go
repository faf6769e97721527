package limits_test

import (
	"context"
	"crypto/x509"
	"net"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
)

func TestOnlyConnectionsWithRefusedCallsAreThrottled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn, l := serve(t, bounds())
		loud := schedulerv1.NewSchedulerClient(conn)
		quietConn, err := grpc.NewClient("passthrough:service", grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) }))
		if err != nil {
			t.Fatal(err)
		}
		defer quietConn.Close()
		quiet := schedulerv1.NewSchedulerClient(quietConn)

		const refusals = 100
		began := time.Now()
		for range refusals {
			if _, err := loud.DeleteJob(t.Context(), new(schedulerv1.DeleteJobRequest)); status.Code(err) != codes.PermissionDenied {
				t.Fatal(err)
			}
			now := time.Now()
			if _, err := quiet.GetJob(t.Context(), new(schedulerv1.GetJobRequest)); err != nil || time.Since(now) > 0 {
				t.Fatalf("another connection waits for %v: %v", time.Since(now), err)
			}
		}
		if took := time.Since(began); took < 400*time.Millisecond || took > 2*time.Second {
			t.Errorf("%d calls are refused in %v, want a delay of a few milliseconds for each", refusals, took)
		}
		time.Sleep(time.Second)
		began = time.Now()
		if _, err := loud.GetJob(t.Context(), new(schedulerv1.GetJobRequest)); err != nil || time.Since(began) > 0 {
			t.Errorf("a second later it still waits %v: %v", time.Since(began), err)
		}
	})
}

func TestThrottlingIsShortAndLetsConnectionClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := bounds()
		b.MaxConcurrent = 10_000
		conn, _ := serve(t, b)
		client := schedulerv1.NewSchedulerClient(conn)
		refused := make(chan error, 500)
		for range cap(refused) {
			go func() {
				_, err := client.DeleteJob(t.Context(), new(schedulerv1.DeleteJobRequest))
				refused <- err
			}()
		}
		for range cap(refused) {
			if err := <-refused; status.Code(err) != codes.PermissionDenied {
				t.Fatal(err)
			}
		}
		began := time.Now()
		if _, err := client.GetJob(t.Context(), new(schedulerv1.GetJobRequest)); err != nil || time.Since(began) > time.Second {
			t.Errorf("the next call waits for %v, %v: want a second at most", time.Since(began), err)
		}
		// The server stops while reads are delayed.
		_, _ = client.DeleteJob(t.Context(), new(schedulerv1.DeleteJobRequest))
	})
}

func TestTooLargeMessageThrottlesLonger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn, _ := serve(t, bounds())
		client := schedulerv1.NewSchedulerClient(conn)
		large := &schedulerv1.GetJobRequest{Name: strings.Repeat("a", 5<<20)}
		began := time.Now()
		for range 3 {
			if _, err := client.GetJob(t.Context(), large); status.Code(err) != codes.ResourceExhausted {
				t.Fatal(err)
			}
		}
		if took := time.Since(began); took < 200*time.Millisecond {
			t.Errorf("three are refused in %v, want a tenth of a second for each", took)
		}
	})
}

func TestThrottlingWorksOverTLS(t *testing.T) {
	https := httptest.NewTLSServer(nil) // for its certificate
	https.Close()
	roots := x509.NewCertPool()
	roots.AddCert(https.Certificate())
	synctest.Test(t, func(t *testing.T) {
		l := bufconn.Listen(1 << 16)
		calls := bounds()
		calls.Credentials = credentials.NewServerTLSFromCert(&https.TLS.Certificates[0])
		server := calls.NewServer()
		schedulerv1.RegisterSchedulerServer(server, service{})
		served := make(chan error, 1)
		go func() { served <- server.Serve(l) }()
		conn, err := grpc.NewClient("passthrough:example.com",
			grpc.WithTransportCredentials(credentials.NewClientTLSFromCert(roots, "")),
			grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) }))
		if err != nil {
			t.Fatal(err)
		}
		client := schedulerv1.NewSchedulerClient(conn)
		const refusals = 100
		began := time.Now()
		for range refusals {
			if _, err := client.DeleteJob(t.Context(), new(schedulerv1.DeleteJobRequest)); status.Code(err) != codes.PermissionDenied {
				t.Fatal(err)
			}
		}
		if took := time.Since(began); took < 400*time.Millisecond || took > 2*time.Second {
			t.Errorf("%d calls are refused in %v, want a delay of a few milliseconds for each", refusals, took)
		}
		conn.Close()
		server.Stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
}
