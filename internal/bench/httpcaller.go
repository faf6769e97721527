package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// batch schedules the jobs of a batch, and checks that all are acknowledged.
func (c *httpLoadCaller) batch(ctx context.Context, app string, body []byte) error {
	code, err := c.call(ctx, http.MethodPost, "/v1/jobs/batch", app, body)
	if err == nil && code != http.StatusOK {
		err = fmt.Errorf("the HTTP status is %d", code)
	}
	if err != nil {
		return fmt.Errorf("POST a batch to %s: %w", c.host, err)
	}
	return nil
}

// httpLoadCaller sends requests one after the other over its own connection. It uses little
// processor time, because the server needs it.
type httpLoadCaller struct {
	host string
	conn net.Conn // nil before the first request, and after a failed one
	in   *bufio.Reader
	out  []byte
}

// httpCallers returns n callers that send to that host:port.
func httpCallers(n int, host string) []*httpLoadCaller {
	callers := make([]*httpLoadCaller, n)
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

// do sends a request about a job of the app, and returns the HTTP status.
func (c *httpLoadCaller) do(ctx context.Context, method, name, app string, body []byte) (status int, err error) {
	return c.call(ctx, method, "/v1.0-alpha1/jobs/"+name, app, body)
}

// call sends a request of the app, and returns the HTTP status.
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

// post schedules a job, and checks that it is acknowledged.
func (c *httpLoadCaller) post(ctx context.Context, name, app string, body []byte) error {
	status, err := c.do(ctx, http.MethodPost, name, app, body)
	if err == nil && status/100 != 2 {
		err = fmt.Errorf("the HTTP status is %d", status)
	}
	if err != nil {
		return fmt.Errorf("POST job %s to %s: %w", name, c.host, err)
	}
	return nil
}

// jobBody returns the JSON of a job with that many bytes of data.
func jobBody(due string, payload int) []byte {
	data := make([]byte, payload)
	scramble(data, 0)
	return fmt.Appendf(nil, `{"dueTime":%q,"data":%q}`, due, fmt.Sprintf("%x", data)[:payload])
}
