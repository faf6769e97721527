package app

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"carillon/internal/crossorigin"
	"carillon/internal/memnet"
)

func TestMonitorListenersLimitClients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory := memnet.Listen()
		var l net.Listener = memory
		log := slog.New(slog.DiscardHandler)
		limitConns(maxMonitorConns, log, &l)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- serveHTTP("health", health(), l, crossorigin.Hosts{}, log)(ctx) }()
		dial := func(text string) net.Conn {
			t.Helper()
			c, err := memory.DialContext(ctx)
			if err != nil {
				t.Fatal(err)
			}
			go func() { _, _ = io.WriteString(c, text) }()
			return c
		}
		answer := func(text string) int {
			t.Helper()
			c := dial(text)
			defer c.Close()
			resp, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			return resp.StatusCode
		}
		const request = "GET /healthz HTTP/1.1\r\nHost: a\r\n"
		if got := answer(request + "\r\n"); got != http.StatusOK {
			t.Errorf("a good client gets %d", got)
		}
		if got := answer(request + "X: " + strings.Repeat("x", 24<<10) + "\r\n\r\n"); got != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("24 KiB of headers: %d, want 431", got)
		}
		began := time.Now()
		slow := dial(request)
		for buffer, err := make([]byte, 1<<10), error(nil); err == nil; _, err = slow.Read(buffer) {
		}
		if took := time.Since(began); took > 6*time.Second {
			t.Errorf("a client that never ends its header was there for %v", took)
		}
		slow.Close()
		synctest.Wait()
		var idle []net.Conn
		for range maxMonitorConns {
			idle = append(idle, dial(""))
		}
		synctest.Wait()
		tooMany := dial(request + "\r\n")
		if _, err := tooMany.Read(make([]byte, 1)); err == nil {
			t.Error("a client beyond the limit is answered")
		}
		for _, c := range append(idle, tooMany) {
			c.Close()
		}
		synctest.Wait()
		if got := answer(request + "\r\n"); got != http.StatusOK {
			t.Errorf("a client after the others have closed gets %d", got)
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		synctest.Wait()
	})
}
