package appclient

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// A scriptedConn accepts all writes. After the first it returns a fixed answer, and then EOF.
type scriptedConn struct {
	net.Conn // nil: no other method is called

	in    *bytes.Reader
	asked chan struct{} // closed by the first Write
	once  sync.Once
}

func newScriptedConn(answer []byte) *scriptedConn {
	return &scriptedConn{in: bytes.NewReader(answer), asked: make(chan struct{})}
}

func (c *scriptedConn) Write(b []byte) (int, error) {
	c.once.Do(func() { close(c.asked) })
	return len(b), nil
}

func (c *scriptedConn) Read(b []byte) (int, error) {
	<-c.asked
	return c.in.Read(b)
}

func (*scriptedConn) Close() error                     { return nil }
func (*scriptedConn) SetReadDeadline(time.Time) error  { return nil }
func (*scriptedConn) SetWriteDeadline(time.Time) error { return nil }
func (*scriptedConn) SetDeadline(time.Time) error      { return nil }

// byNetHTTP reads the answer with the transport of net/http.
func byNetHTTP(t *testing.T, answer []byte, maxHeader int64) (status int, received int64, err error) {
	t.Helper()
	conn := newScriptedConn(answer)
	transport := &http.Transport{
		DialContext:            func(context.Context, string, string) (net.Conn, error) { return conn, nil },
		MaxResponseHeaderBytes: maxHeader, DisableCompression: true,
	}
	defer transport.CloseIdleConnections()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://app/job/name", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return 0, 0, err
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusSwitchingProtocols {
		return resp.StatusCode, 0, nil
	}
	received, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, received, nil
}

// FuzzAnAnswerMeansWhatNetHTTPSays checks that our HTTP/1.1 client reads any answer like the
// transport of net/http: same status and size, or an error in both. A connection is reused only if
// nothing is left on it.
func FuzzAnAnswerMeansWhatNetHTTPSays(f *testing.F) {
	const ok = "HTTP/1.1 200 OK\r\n"
	for _, answer := range []string{
		ok + "Content-Length: 0\r\n\r\n", ok + "Content-Length: 2\r\n\r\nok", ok + "Content-Length: 2\r\n\r\no", ok + "\r\nto the end",
		ok + "Content-Length: 2\r\nContent-Length: 3\r\n\r\nokk", ok + "Content-Length: -1\r\n\r\n", ok + "Content-Length: 2\r\n\r\nokHTTP/1.1 500 X\r\n\r\n",
		ok + "Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", ok + "Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n",
		ok + "Transfer-Encoding: chunked\r\nContent-Length: 9\r\n\r\n0\r\nX: y\r\n\r\n", ok + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
		"HTTP/1.1 103 Early Hints\r\n\r\n" + ok + "Content-Length: 0\r\n\r\n", "HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 101 X\r\nUpgrade: x\r\n\r\n",
		strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 7) + ok + "\r\n", "HTTP/1.1 204 No Content\r\n\r\n", "HTTP/1.1 304\r\nContent-Length: 5\r\n\r\n",
		"HTTP/1.0 200 OK\r\n\r\nx", "HTTP/2.0 200 OK\r\n\r\n", "HTTP/1.1 2\r\n\r\n", "HTTP/1.1 2000 X\r\n\r\n", "HTTP/1.1 -20 X\r\n\r\n", "HTTP/1.1  200 OK\r\n\r\n",
		"SSH-2.0\r\n", "", "\r\n" + ok + "\r\n", ok + "X : y\r\n\r\n", ok + " folded\r\n\r\n", ok + "X: y\r\n z\r\n\r\n", ok + "Connection: close\r\n\r\nx",
		ok + "X: " + strings.Repeat("x", 5000) + "\r\n\r\n", ok + "\n", "HTTP/1.1 200 OK\nX: y\n\nbody",
	} {
		f.Add([]byte(answer))
	}
	f.Fuzz(func(t *testing.T, answer []byte) {
		if len(answer) > 32<<10 {
			return // our client reads no more of a body
		}
		const maxHeader = 4096
		conn := newScriptedConn(answer)
		c := newHTTP1Conn(conn)
		c.request = []byte("POST /job/name HTTP/1.1\r\nHost: app\r\nContent-Length: 0\r\n\r\n")
		res, err := c.roundTrip(t.Context(), nil, maxHeader)
		status, received, again := res.status, res.received, c.reusable
		wantStatus, wantReceived, wantErr := byNetHTTP(t, answer, maxHeader)
		if (err == nil) != (wantErr == nil) || err == nil && (status != wantStatus || received != wantReceived) {
			t.Errorf("%q: %d with %d bytes, %v; net/http says %d with %d bytes, %v", answer, status, received, err, wantStatus, wantReceived, wantErr)
		}
		if again && (err != nil || conn.in.Len() > 0) {
			t.Errorf("%q: its connection would be used again, with %d bytes left on it (%v)", answer, conn.in.Len(), err)
		}
	})
}
