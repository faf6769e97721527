package limits_test

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"carillon/internal/limits"
	"carillon/internal/memnet"
)

func TestConnectionsBeyondLimitAreClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var text strings.Builder
		memory := memnet.Listen()
		l := limits.Connections(memory, 2, slog.New(slog.NewTextHandler(&text, nil)))
		accepted := make(chan net.Conn, 10)
		go func() {
			defer close(accepted)
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				accepted <- c
			}
		}()
		dial := func() net.Conn {
			t.Helper()
			c, err := memory.DialContext(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			return c
		}
		dial()
		dial()
		for range 3 {
			if _, err := dial().Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
				t.Errorf("one too many reads %v, want the end at once", err)
			}
		}
		if n := strings.Count(text.String(), "too many connections"); n != 1 {
			t.Errorf("the log was told %d times, want once: %s", n, &text)
		}
		first := <-accepted
		first.Close()
		first.Close() // the second Close releases nothing
		dial()
		if len(accepted) != 2 {
			t.Errorf("%d are accepted, want the second and the one that replaces the first", len(accepted))
		}
		time.Sleep(time.Minute)
		dial()
		if n := strings.Count(text.String(), "too many connections"); n != 2 {
			t.Errorf("the log was told %d times, want again after a minute", n)
		}
		l.Close()
		for c := range accepted {
			c.Close()
		}
	})
}
