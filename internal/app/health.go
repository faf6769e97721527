package app

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"
)

// A check returns what keeps a part of a node from doing its work, or nil. It does not block, and is safe for
// concurrent use.
type check func() error

// health answers GET /healthz: 200 if no check finds anything, and 503 with what they found.
func health(checks ...check) http.Handler { return healthWith(nil, checks...) }

// healthWith is health with notes: what somebody should know, though it keeps no part of the node from its work. Those that
// are not empty are the body of a 200, and the end of that of a 503.
func healthWith(notes []func() string, checks ...check) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		var said []string
		for _, n := range notes {
			if text := n(); text != "" {
				said = append(said, text)
			}
		}
		switch err := found(checks); {
		case err != nil:
			http.Error(w, strings.Join(append([]string{err.Error()}, said...), "\n"), http.StatusServiceUnavailable)
		case len(said) > 0:
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
			_, _ = io.WriteString(w, strings.Join(said, "\n")+"\n") // who has gone needs no answer
		}
	})
	return mux
}

// sayListening logs where a scheduler listens, in the words that programs wait for.
func sayListening(ctx context.Context, log *slog.Logger, l net.Listener) {
	if l.Addr().Network() == "tcp" {
		log.LogAttrs(ctx, slog.LevelInfo, "Dapr Scheduler listening on: "+l.Addr().String()) //nolint:sloglint // the line is not ours to choose
	}
}

// sayReady returns a stage that logs once when no check finds anything, in the words that people and scripts wait for.
func sayReady(checks []check, log *slog.Logger) stage {
	const pause = 20 * time.Millisecond
	return func(ctx context.Context) error {
		poll := time.NewTicker(pause)
		defer poll.Stop()
		for found(checks) != nil {
			select {
			case <-poll.C:
			case <-ctx.Done():
				return nil
			}
		}
		log.LogAttrs(ctx, slog.LevelInfo, "Dapr Scheduler api is ready")
		<-ctx.Done()
		return nil
	}
}

// found returns what the checks have found.
func found(checks []check) error {
	var err error
	for _, c := range checks {
		err = errors.Join(err, c())
	}
	return err
}

// errNotOpen is what a gate's check finds before and after the node runs.
var errNotOpen = errors.New("the node is starting or stopping")

// A gate is open while its stage runs. The last stage of a node is the first to be stopped: its gate tells that the node
// is stopping before anything else does.
type gate struct{ open atomic.Bool }

func (g *gate) run(ctx context.Context) error {
	g.open.Store(true)
	<-ctx.Done()
	g.open.Store(false)
	return nil
}

func (g *gate) check() error {
	if !g.open.Load() {
		return errNotOpen
	}
	return nil
}
