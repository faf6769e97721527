package sidecar_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"carillon/internal/sidecar"
)

// A scriptedConn takes whatever is written to it, and then has an answer to read, which ends there.
type scriptedConn struct {
	net.Conn // nil: what is not here is not called

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

// byNetHTTP calls an app that answers so through the transport of net/http.
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

// FuzzAnAnswerMeansWhatNetHTTPSays holds that an app's answer, whatever it is, has for our reader of HTTP/1.1 the status
// that it has for net/http's transport, or is none for both; and that a connection is used again only if nothing of the
// answer, and nothing after it, is left on it.
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
			return // beyond that no more is read of a body here
		}
		const maxHeader = 4096
		conn := newScriptedConn(answer)
		status, received, again, err := sidecar.AnswerForTest(t.Context(), conn, maxHeader)
		wantStatus, wantReceived, wantErr := byNetHTTP(t, answer, maxHeader)
		if (err == nil) != (wantErr == nil) || err == nil && (status != wantStatus || received != wantReceived) {
			t.Errorf("%q: %d with %d bytes, %v; net/http says %d with %d bytes, %v", answer, status, received, err, wantStatus, wantReceived, wantErr)
		}
		if again && (err != nil || conn.in.Len() > 0) {
			t.Errorf("%q: its connection would be used again, with %d bytes left on it (%v)", answer, conn.in.Len(), err)
		}
	})
}

// FuzzBatchesAreCutAsTheyShould holds that a batch of lines is what a scanner of lines makes of it, each as long as may be,
// and that a batch as an array is what encoding/json makes of it.
func FuzzBatchesAreCutAsTheyShould(f *testing.F) {
	for _, body := range []string{
		"", "\n", "a\nb", "a\r\nb\n\n\n c \n", "{\"name\":\"a\"}\n[]\n", "a long line that is too long\nshort\n", "\u2028\n\u00a0\nx",
		"[]", "[1,{\"a\":[2]},null]", "null", "[1", "[1]x", " [ 1 , \"\xff\" ] ", "{}", "[\"\\ud800\"]",
	} {
		f.Add([]byte(body), uint16(0))
		f.Add([]byte(body), uint16(7000)) // longer than a buffer
	}
	f.Fuzz(func(t *testing.T, body []byte, times uint16) {
		const most = 16
		body = bytes.Repeat(body, 1+int(times)%8000)
		if len(body) > 1<<20 {
			return
		}
		var want []string
		lines := bufio.NewScanner(bytes.NewReader(body))
		lines.Buffer(nil, len(body)+2)
		lines.Split(func(data []byte, atEOF bool) (int, []byte, error) {
			if i := bytes.IndexByte(data, '\n'); i >= 0 {
				return i + 1, data[:i+1], nil
			}
			if atEOF && len(data) > 0 {
				return len(data), data, nil
			}
			return 0, nil, nil
		})
		for lines.Scan() {
			switch line := strings.TrimSpace(lines.Text()); {
			case len(lines.Bytes()) > most:
				want = append(want, "refused")
			case line != "":
				want = append(want, line)
			}
		}
		if len(want) > 100_000 {
			want = append(want[:100_000], "refused")
		}
		if got := sidecar.LinesForTest(body, most); !slices.Equal(got, want) {
			t.Errorf("lines (-want +got):\n%s", cmp.Diff(want, got))
		}

		var items []json.RawMessage
		err := json.Unmarshal(body, &items)
		array, ok := sidecar.ArrayForTest(body)
		if ok != (err == nil && items != nil && len(items) <= 100_000) || ok && len(array) != len(items) {
			t.Errorf("%.100q is an array of %d: %v, and json says %d, %v", body, len(array), ok, len(items), err)
		}
	})
}
