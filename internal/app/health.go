package app

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
)

// A check returns what keeps a part of a node from doing its work, or nil. It does not block, and is safe for
// concurrent use.
type check func() error

// health answers GET /healthz: 200 and nothing else if no check finds anything, and 503 with what they found.
func health(checks ...check) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		var found error
		for _, c := range checks {
			found = errors.Join(found, c())
		}
		if found != nil {
			http.Error(w, found.Error(), http.StatusServiceUnavailable)
		}
	})
	return mux
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
