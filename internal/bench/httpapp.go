package bench

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

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

// listenApp listens on the app's port; 0 is any free port.
func listenApp(ctx context.Context, port int) (net.Listener, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return nil, fmt.Errorf("listen for the triggers of the app: %w", err)
	}
	return l, nil
}
