package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// httpLoadCaller sends requests one after the other over its own connection. It uses little processor
// time, which the server would lack.
type httpLoadCaller struct {
	host string
	conn net.Conn // nil before the first request, and after one that went wrong
	in   *bufio.Reader
	out  []byte
}

// callersTo returns a caller for each of the callers, which send to that host and port.
func (b *bench) callersTo(host string) []*httpLoadCaller {
	callers := make([]*httpLoadCaller, b.cfg.Callers)
	for i := range callers {
		callers[i] = &httpLoadCaller{host: host}
	}
	return callers
}

func closeAll(callers []*httpLoadCaller) {
	for _, c := range callers {
		if c.conn != nil {
			_ = c.conn.Close()
		}
	}
}

// do sends a request about a job of the app, and returns the status of its answer.
func (c *httpLoadCaller) do(ctx context.Context, method, name, app string, body []byte) (status int, err error) {
	return c.call(ctx, method, "/v1.0-alpha1/jobs/"+name, app, body)
}

// call sends a request of the app, and returns the status of its answer.
func (c *httpLoadCaller) call(ctx context.Context, method, path, app string, body []byte) (status int, err error) {
	if c.conn == nil {
		if c.conn, err = new(net.Dialer).DialContext(ctx, "tcp", c.host); err != nil {
			return 0, err
		}
		c.in = bufio.NewReader(c.conn)
	}
	defer context.AfterFunc(ctx, func() { _ = c.conn.SetDeadline(time.Now()) })()
	c.out = fmt.Appendf(c.out[:0], "%s %s HTTP/1.1\r\nHost: %s\r\ndapr-app-id: %s\r\n"+
		"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n", method, path, c.host, app, len(body))
	if _, err := c.conn.Write(append(c.out, body...)); err != nil {
		return 0, err
	}
	resp, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	err = errors.Join(err, resp.Body.Close())
	if err == nil && resp.Close {
		err = c.conn.Close()
		c.conn = nil
	}
	return resp.StatusCode, err
}

// post schedules a job, and holds that it was acknowledged.
func (c *httpLoadCaller) post(ctx context.Context, name, app string, body []byte) error {
	status, err := c.do(ctx, http.MethodPost, name, app, body)
	if err == nil && status/100 != 2 {
		err = fmt.Errorf("it answers %d", status)
	}
	if err != nil {
		return fmt.Errorf("POST job %s to %s: %w", name, c.host, err)
	}
	return nil
}

// jobBody returns a job as the API takes it, with data of that many bytes.
func jobBody(due string, payload int) []byte {
	data := make([]byte, payload)
	scramble(data, 0)
	return fmt.Appendf(nil, `{"dueTime":%q,"data":%q}`, due, fmt.Sprintf("%x", data)[:payload])
}

// httpApp is an app that records its triggers.
type httpApp struct {
	port   int
	ledger atomic.Pointer[ledger] // nil while none are expected
}

// serve answers for the app until ctx ends.
func (a *httpApp) serve(ctx context.Context, l net.Listener) error {
	s := &http.Server{ReadHeaderTimeout: time.Minute, Handler: a}
	defer context.AfterFunc(ctx, func() { _ = s.Close() })()
	if err := s.Serve(l); ctx.Err() == nil {
		return err
	}
	return nil
}

// ServeHTTP is [http.Handler.ServeHTTP].
func (a *httpApp) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	at := time.Now()
	name, ok := strings.CutPrefix(r.URL.Path, "/job/")
	if !ok {
		http.NotFound(w, r)
		return
	}
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return // the sidecar is gone
	}
	if l := a.ledger.Load(); l != nil {
		l.add(name, at)
	}
}

// listenApp opens the port of the app: any if it is 0.
func listenApp(ctx context.Context, port int) (net.Listener, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return nil, fmt.Errorf("listen for the triggers of the app: %w", err)
	}
	return l, nil
}
