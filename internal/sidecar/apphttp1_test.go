package sidecar_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/types/known/anypb"

	"carillon/internal/sidecar"
)

// A rawApp answers requests as a test says, and records its connections.
type rawApp struct {
	conns chan net.Conn // as they were accepted
}

// startRaw runs a sidecar and an app whose connections are served by serve.
func startRaw(t *testing.T, serve func(net.Conn, *bufio.Reader)) (*fixture, *rawApp) {
	t.Helper()
	f := &fixture{network: new(network), t: t}
	f.scheduler = newScheduler(t, f.network, schedulerAddress, schedulerAddress)
	a := &rawApp{conns: make(chan net.Conn, 100)}
	l := f.listen(appAddress)
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			a.conns <- conn
			go func() {
				defer conn.Close()
				serve(conn, bufio.NewReader(conn))
			}()
		}
	}()
	f.run(sidecar.Config{Apps: []sidecar.App{{ID: "sub", Address: appAddress}}, Schedulers: []string{schedulerAddress}})
	synctest.Wait()
	<-a.conns // by which the sidecar detected that the app listens
	return f, a
}

// answering answers each request with the same bytes.
func answering(answer string) func(net.Conn, *bufio.Reader) {
	return func(conn net.Conn, in *bufio.Reader) {
		for {
			r, err := http.ReadRequest(in)
			if err != nil {
				return
			}
			if _, err := io.Copy(io.Discard, r.Body); err != nil {
				return
			}
			if _, err := io.WriteString(conn, answer); err != nil {
				return
			}
		}
	}
}

func TestHTTP1ConnectionIsReused(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\n"
	for answer, conns := range map[string]int{
		ok + "Content-Length: 0\r\n\r\n":                                         1,
		ok + "Content-Length: 2\r\n\r\nok":                                       1,
		ok + "Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n":            1,
		"HTTP/1.1 103 Early Hints\r\n\r\n" + ok + "Content-Length: 0\r\n\r\n":    1,
		"HTTP/1.1 204 No Content\r\n\r\n":                                        1,
		ok + "Connection: close\r\nContent-Length: 0\r\n\r\n":                    3,
		"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n":                           3,
		ok + "Content-Length: 0\r\n\r\n" + "HTTP/1.1 500 Unasked\r\n\r\n":        3,
		ok + "Content-Length: 100000\r\n\r\n" + strings.Repeat("x", 100_000):     3,
		ok + "X: " + strings.Repeat("x", 3000) + "\r\nContent-Length: 0\r\n\r\n": 1,
	} {
		bubble(t, func(t *testing.T) {
			f, a := startRaw(t, answering(answer))
			w := f.scheduler.stream()
			for i := range uint64(3) {
				w.trigger(i, "a", nil)
				w.wantResult(t, fmt.Sprintf("%.60q", answer), i, true)
			}
			if got := len(a.conns); got != conns {
				t.Errorf("%.60q: there were %d connections, want %d", answer, got, conns)
			}
		})
	}
}

func TestMalformedHTTPResponseFailsTrigger(t *testing.T) {
	for _, answer := range []string{
		"HTTP/1.1 101 Switching Protocols\r\n\r\n", "HTTP/1.1 2\r\n\r\n", "SSH-2.0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 10_000) + "\r\n\r\n",
		strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 1000),
	} {
		bubble(t, func(t *testing.T) {
			f, _ := startRaw(t, answering(answer))
			w := f.scheduler.stream()
			w.trigger(1, "a", nil)
			w.wantResult(t, fmt.Sprintf("%.60q", answer), 1, false)
		})
	}
}

func TestAppMayRespondBeforeReadingBody(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f, a := startRaw(t, func(conn net.Conn, in *bufio.Reader) {
			if _, err := http.ReadRequest(in); err == nil {
				_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
			}
			<-t.Context().Done()
		})
		w := f.scheduler.stream()
		for i := range uint64(2) {
			w.trigger(i, "a", &anypb.Any{Value: make([]byte, 1<<20)})
			w.wantResult(t, "an early answer", i, true)
		}
		if got := len(a.conns); got != 2 {
			t.Errorf("there were %d connections, want 2: the first is full of what was not read", got)
		}
		f.stop()
	})
}

func TestIdleAppConnectionIsClosedAfterSecond(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f, a := startRaw(t, answering("HTTP/1.1 204 No Content\r\n\r\n"))
		w := f.scheduler.stream()
		for i := range uint64(10) { // each within a second of the one before it
			w.trigger(i, "a", nil)
			w.wantResult(t, "a call", i, true)
			time.Sleep(900 * time.Millisecond)
		}
		time.Sleep(200 * time.Millisecond)
		w.trigger(10, "a", nil)
		w.wantResult(t, "a call after more than a second", 10, true)
		if got := len(a.conns); got != 2 {
			t.Errorf("there were %d connections, want 2", got)
		}
	})
}

// It needs sockets, which a network in memory does not have.
func TestClosedAppConnectionIsNotReused(t *testing.T) {
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := make(chan struct{}, 1)
	app := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conn, out, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = out.WriteString("HTTP/1.1 204 No Content\r\n\r\n")
		_ = out.Flush()
		_ = conn.Close()
		closed <- struct{}{}
	})}
	go func() { _ = app.Serve(l) }()
	defer app.Close()
	w, stop := overTCP(t, sidecar.App{ID: "sub", Address: l.Addr().String()})
	defer stop()
	for i := range uint64(100) {
		w.trigger(i, "a", nil)
		<-closed
		if r := <-w.results; r.GetId() != i || r.GetStatus() != 0 {
			t.Fatalf("the result is %v, want success: the app had closed the connection by itself", r)
		}
	}
}
