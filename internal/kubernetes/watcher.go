package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"
)

// A Watcher watches namespaces.
type Watcher struct {
	cfg    Config
	log    *slog.Logger
	server string // the API server of the first connection; used by Run only
}

// New returns a watcher. It does nothing until Run.
func New(cfg Config, log *slog.Logger) *Watcher {
	return &Watcher{cfg: cfg, log: log.With(slog.String("component", "kubernetes"))}
}

// The maximum delays before the next watch: after a first failure, and after many. The delay doubles
// with each failure. A watch that has lasted long enough resets it.
const (
	minPause   = time.Second
	maxPause   = 30 * time.Second
	longEnough = 5 * time.Second
)

// Run calls gone for each deleted namespace until ctx ends, and then returns nil. It must be called
// once.
func (w *Watcher) Run(ctx context.Context, gone func(ctx context.Context, namespace string) error) error {
	s := &knownNamespaces{gone: gone, log: w.log, there: make(map[string]bool), owed: make(map[string]bool)}
	level := slog.LevelWarn // of the next failure: only the first of several is a warning
	wait := minPause
	for {
		lasted, err := w.follow(ctx, s)
		if ctx.Err() != nil {
			return nil //nolint:nilerr // stopped
		}
		switch {
		case lasted >= longEnough:
			level, wait, s.worked = slog.LevelWarn, minPause, true
			if err == nil { // the API server ends watches regularly
				continue
			}
		case err == nil:
			err = fmt.Errorf("watch namespaces: the API server ended it after %v, and should after %v", lasted, watchTime)
		}
		old, listNext := errors.AsType[expired](err)
		harmless := old.gone && s.worked
		if listNext {
			s.version, s.worked = "", false
		}
		if !harmless {
			w.log.Log(ctx, level, "cannot watch the namespaces of Kubernetes; retrying", slog.Any("err", err))
			level = slog.LevelDebug
		}
		t := time.NewTimer(wait - rand.N(wait/2))
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return nil
		}
		wait = min(2*wait, maxPause)
	}
}

// knownNamespaces is what is known about the namespaces. It belongs to one goroutine.
type knownNamespaces struct {
	gone    func(ctx context.Context, namespace string) error
	log     *slog.Logger
	version string          // the version of the fields below, after which a watch continues; empty: list first
	worked  bool            // a watch since the last list has lasted, or has had an event
	there   map[string]bool // existing namespaces
	owed    map[string]bool // deleted namespaces for which gone has not succeeded yet
}

// follow watches the namespaces until the watch ends. It returns how long the watch lasted, and why
// it ended: nil if normally. It continues after the previous watch, or lists the namespaces if that
// is impossible.
func (w *Watcher) follow(ctx context.Context, s *knownNamespaces) (lasted time.Duration, err error) {
	c, err := w.connect()
	if err != nil {
		return 0, err
	}
	defer c.close()
	if s.version == "" {
		if err := s.list(ctx, c); err != nil {
			return 0, err
		}
	}
	if err := s.settle(ctx); err != nil {
		return 0, err
	}
	return c.watch(ctx, s.version, func(e watchEvent) error {
		name := e.Object.Metadata.Name
		switch e.Type {
		case "ADDED", "MODIFIED":
			s.there[name] = true
		case "DELETED":
			delete(s.there, name)
			s.owed[name] = true
		}
		s.version, s.worked = e.Object.Metadata.ResourceVersion, true // of a BOOKMARK, too
		return s.settle(ctx)
	})
}

// list finds the namespaces that were deleted without a watch.
func (s *knownNamespaces) list(ctx context.Context, c *client) error {
	now, version, err := c.list(ctx)
	if err != nil {
		return err
	}
	for name := range s.there {
		if !now[name] {
			s.owed[name] = true
		}
	}
	s.there, s.version = now, version
	return nil
}

// settle reports all deleted namespaces.
func (s *knownNamespaces) settle(ctx context.Context) error {
	var failed error
	for name := range maps.Clone(s.owed) {
		if s.there[name] { // created again
			delete(s.owed, name)
			continue
		}
		if err := s.gone(ctx, name); err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		s.log.LogAttrs(ctx, slog.LevelInfo, "a namespace of Kubernetes is gone: all its jobs were deleted", slog.String("namespace", name))
		delete(s.owed, name)
	}
	return failed
}

// connect reads the credentials for the API server. The first request connects.
func (w *Watcher) connect() (*client, error) {
	a, err := w.cfg.access()
	if err != nil {
		return nil, err
	}
	if w.server == "" {
		w.server = a.server
	}
	if w.server != a.server { // in another cluster our namespaces would be missing
		return nil, fmt.Errorf("the kubeconfig %s names another API server than before, %s: restart the scheduler to watch that cluster", w.cfg.Kubeconfig, a.server)
	}
	return &client{
		http: http.Client{
			Transport: &http.Transport{
				TLSClientConfig: a.tls, Proxy: http.ProxyURL(a.proxy), DialContext: w.cfg.Dial,
				TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: listTime,
			},
			// The token is for this server only.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		base: strings.TrimSuffix(a.server, "/") + "/api/v1/namespaces?", token: a.token,
	}, nil
}
