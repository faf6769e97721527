package sidecar

import (
	"bytes"
	"context"
	"net"
	"net/url"

	"carillon/internal/job"
)

// RouteForTest returns the decoded name of the job that a request is about, if it is about one.
func RouteForTest(method string, u *url.URL) (name string, ok bool) {
	to := match(method, u)
	if to.resource != aJob {
		return "", false
	}
	name, err := url.QueryUnescape(to.name)
	return name, err == nil
}

// AnswerForTest calls the app at the other end of conn over HTTP/1.1, and returns its answer and whether conn may be used
// for another call.
func AnswerForTest(ctx context.Context, conn net.Conn, maxHeader int64) (status int, received int64, again bool, err error) {
	c := newHTTP1Conn(conn)
	c.head = []byte("POST /job/name HTTP/1.1\r\nHost: app\r\nContent-Length: 0\r\n\r\n")
	a, err := c.exchange(ctx, nil, maxHeader)
	return a.status, a.received, c.reusable, err
}

// LinesForTest returns the lines of a batch, and a word for what stands in the place of one.
func LinesForTest(body []byte, maxBody int64) (lines []string) {
	b := &batch{sidecar: &Sidecar{cfg: Config{MaxBody: maxBody}}, target: job.Target{Kind: job.App, Namespace: "ns", Name: "app"}}
	for line, e := range b.readLines(bytes.NewReader(body), func() {}) {
		if e != nil {
			line = []byte("refused")
		}
		lines = append(lines, string(line))
	}
	return lines
}

// ArrayForTest returns the items of a batch, if it is an array.
func ArrayForTest(body []byte) (items []string, ok bool) {
	b := &batch{target: job.Target{Kind: job.App, Namespace: "ns", Name: "app"}}
	all, e := b.array(body)
	if e != nil {
		return nil, false
	}
	for item, e := range all {
		if e != nil {
			return nil, false
		}
		items = append(items, string(item))
	}
	return items, true
}
