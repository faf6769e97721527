package sidecar_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	runtimev1 "github.com/dapr/dapr/pkg/proto/runtime/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"carillon/internal/sidecar"
)

const tooMany = "the sidecar has as many API calls in flight as it accepts, 4096 with 268435456 bytes in all: " +
	"try again when some have ended"

// hold makes calls over HTTP that wait for a hung scheduler, and returns their connections.
func (f *fixture) hold(number int, request string) []net.Conn {
	f.t.Helper()
	conns := make([]net.Conn, number)
	for i := range conns {
		conn, err := f.dial(f.t.Context(), "sidecar:3500")
		if err != nil {
			f.t.Fatal(err)
		}
		f.t.Cleanup(func() { conn.Close() })
		go func() { _, _ = io.WriteString(conn, request) }()
		conns[i] = conn
	}
	synctest.Wait()
	return conns
}

func TestCallsAreLimitedAcrossHTTPAndGRPC(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, sidecar.Config{Shutdown: func(bool) {}})
		f.scheduler.holdCalls(true)
		conns := f.hold(96, "GET /v1.0/jobs/a HTTP/1.1\r\nHost: x\r\n\r\n")
		var calls sync.WaitGroup
		var ends []context.CancelFunc
		for range 8 {
			ctx, end := context.WithCancel(t.Context())
			ends = append(ends, end)
			c := runtimev1.NewDaprClient(f.grpc())
			for range 500 {
				calls.Go(func() { _, _ = c.GetJob(ctx, &runtimev1.GetJobRequest{Name: "a"}) })
			}
			synctest.Wait()
		}
		c := runtimev1.NewDaprClient(f.grpc())

		f.wantError("one more", f.send("GET", "/v1.0/jobs/a", ""), 503, errorBody("ERR_TOO_MANY_CALLS", tooMany, nil))
		_, err := c.GetJob(t.Context(), &runtimev1.GetJobRequest{Name: "a"})
		wantStatus(t, "one more", err, codes.ResourceExhausted, tooMany, "ERR_TOO_MANY_CALLS",
			map[string]string{"appID": "", "namespace": ""})
		if got := f.send("GET", "/v1.0/healthz", ""); got.code != 204 {
			t.Errorf("healthz = %d, want 204", got.code)
		}
		if got := f.send("POST", "/v1.0/shutdown", ""); got.code != 204 {
			t.Errorf("shutdown = %d, want 204", got.code)
		}
		if _, err := c.Shutdown(t.Context(), &runtimev1.ShutdownRequest{}); err != nil {
			t.Errorf("shutdown over gRPC = %v", err)
		}

		conns[0].Close() // a call that ends frees capacity
		synctest.Wait()
		if got := f.send("GET", "/v1.0/metadata", ""); got.code != 200 {
			t.Errorf("a call when another has gone = %d %s, want 200", got.code, got.body)
		}
		for _, end := range ends { // one by one: the connections have no buffer
			end()
			synctest.Wait()
		}
		calls.Wait()
		f.scheduler.holdCalls(false)
		if got := f.send("POST", "/v1.0/jobs/a", `{"dueTime":"1s"}`); got.code != 204 {
			t.Errorf("a call when all have ended = %d %s, want 204", got.code, got.body)
		}
	})
}

func TestCallBytesAreLimited(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, sidecar.Config{MaxBody: 1000})
		f.scheduler.holdCalls(true)
		body := `{"dueTime":"1s"}` + strings.Repeat(" ", 984)
		post := func(header, body string) string {
			return "POST /v1.0/jobs/a HTTP/1.1\r\nHost: x\r\n" + header + "\r\n\r\n" + body
		}
		whole, chunked := post("Content-Length: 1000", body), post("Transfer-Encoding: chunked", "10\r\n"+body[:16]+"\r\n0\r\n\r\n")
		f.hold(10, chunked) // 1000 bytes each until they are read, and 16 then
		f.hold(62, whole)
		c := runtimev1.NewDaprClient(f.grpc())
		list := func() error {
			_, err := c.ListJobs(t.Context(), &runtimev1.ListJobsRequest{})
			return err
		}
		listed := make(chan error, 1)
		go func() { listed <- list() }() // as much as its answer may be
		time.Sleep(time.Second)          // jobs wait for calls that they could share
		if calls := f.scheduler.took(); len(calls) != 73 {
			t.Fatalf("%d calls have got through, want 73", len(calls))
		}
		const text = "64000 bytes in all: try again"
		for _, request := range []string{whole, chunked} {
			if got := f.sendRaw("POST", request); got.code != 503 || !strings.Contains(got.body, text) {
				t.Errorf("a body more = %d %s, want 503 and the bound", got.code, got.body)
			}
		}
		if err := list(); status.Code(err) != codes.ResourceExhausted || !strings.Contains(err.Error(), text) {
			t.Errorf("a list more = %v, want ResourceExhausted and the bound", err)
		}
		req := &runtimev1.ScheduleJobRequest{Job: &runtimev1.Job{Name: strings.Repeat("n", 900), DueTime: new("1s")}}
		if _, err := c.ScheduleJob(t.Context(), req); status.Code(err) != codes.ResourceExhausted {
			t.Errorf("a message more = %v, want ResourceExhausted", err)
		}
		time.Sleep(30 * time.Second)
		if err := <-listed; status.Code(err) != codes.Internal {
			t.Errorf("a list of a scheduler that hangs = %v, want Internal", err)
		}
		f.scheduler.holdCalls(false)
		for range 70 { // each releases its bytes, however it ends
			if got := f.sendRaw("POST", post("Connection: close\r\nContent-Length: 1000", strings.Repeat(" ", 1000))); got.code != 400 {
				t.Fatalf("a malformed body = %d %s, want 400", got.code, got.body)
			}
			got := f.sendRaw("POST", post("Connection: close\r\nTransfer-Encoding: chunked", "7d0\r\n"+strings.Repeat(" ", 2000)+"\r\n0\r\n\r\n"))
			if got.code != 400 || !strings.Contains(got.body, "stream too large") {
				t.Fatalf("a body of 2000 bytes = %d %s, want 400", got.code, got.body)
			}
			if err := list(); err != nil {
				t.Fatalf("a list = %v", err)
			}
		}
		if got := f.send("POST", "/v1.0/jobs/a", body); got.code != 204 {
			t.Errorf("a call when all have ended = %d %s, want 204", got.code, got.body)
		}
	})
}

func TestMissingBodyTimesOutAfterMinute(t *testing.T) {
	for _, header := range []string{"Content-Length: 1000", "Transfer-Encoding: chunked"} {
		bubble(t, func(t *testing.T) {
			f := start(t, sidecar.Config{})
			began := time.Now()
			got := f.sendRaw("POST", "POST /v1.0/jobs/a HTTP/1.1\r\nHost: x\r\n"+header+"\r\n\r\n")
			if d := time.Since(began); got.code != 400 || !strings.Contains(got.body, "ERR_BODY_READ") || d != time.Minute {
				t.Errorf("%s: %d %s after %v, want 400 ERR_BODY_READ after 1m", header, got.code, got.body, d)
			}
		})
	}
}

func TestBodyTimeoutEndsWithBody(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, sidecar.Config{})
		f.scheduler.holdCalls(true)
		conn, err := f.dial(t.Context(), "sidecar:3500")
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "POST /v1.0/jobs/a HTTP/1.1\r\nHost: x\r\nContent-Length: 16\r\n\r\n{\"dueTime\"")
		time.Sleep(59 * time.Second)
		fmt.Fprintf(conn, `:"1s"}`)
		in := bufio.NewReader(conn)
		res, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, res.Body); err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != 504 {
			t.Errorf("a call of 30s after a body of 59s = %d, want 504: the scheduler hangs", res.StatusCode)
		}
		// The connection is not closed between two requests, either.
		f.scheduler.holdCalls(false)
		time.Sleep(24 * time.Hour)
		fmt.Fprintf(conn, "DELETE /v1.0/jobs/a HTTP/1.1\r\nHost: x\r\n\r\n")
		if res, err = http.ReadResponse(in, nil); err != nil {
			t.Fatalf("a second request after a day: %v", err)
		}
		res.Body.Close()
		if res.StatusCode != 204 {
			t.Errorf("a second request after a day = %d, want 204", res.StatusCode)
		}
	})
}
