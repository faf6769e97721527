package kubernetes

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"math/rand/v2"
	"time"
)

// A Watcher watches namespaces.
type Watcher struct {
	cfg    Config
	log    *slog.Logger
	server string // that it follows, once it does; it belongs to Run
}

// New returns a watcher that does nothing yet.
func New(cfg Config, log *slog.Logger) *Watcher {
	return &Watcher{cfg: cfg, log: log.With(slog.String("component", "kubernetes"))}
}

// How long it waits after failures, one after the other.
const (
	minPause = time.Second
	maxPause = 30 * time.Second
)

// Run calls gone for each namespace that is gone until ctx ends, and then returns nil. It is to be called once.
func (w *Watcher) Run(ctx context.Context, gone func(ctx context.Context, namespace string) error) error {
	s := &state{gone: gone, there: make(map[string]bool), owed: make(map[string]bool)}
	level := slog.LevelWarn // of the next failure: the first of several is worth a warning
	wait := minPause
	for {
		err := w.follow(ctx, s)
		if ctx.Err() != nil {
			return nil //nolint:nilerr // it was stopped
		}
		if err == nil { // the API server ends a watch now and then
			level, wait = slog.LevelWarn, minPause
			continue
		}
		w.log.Log(ctx, level, "cannot follow the namespaces of Kubernetes; it is tried again", slog.Any("err", err))
		level = slog.LevelDebug
		t := time.NewTimer(wait + rand.N(wait))
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return nil
		}
		wait = min(2*wait, maxPause)
	}
}

// A state is what is known of the namespaces. It belongs to one goroutine.
type state struct {
	gone  func(ctx context.Context, namespace string) error
	there map[string]bool
	owed  map[string]bool // are gone, and nobody has been told successfully
}

// follow lists the namespaces and watches them until the watch ends: nil if that was in good order.
func (w *Watcher) follow(ctx context.Context, s *state) error {
	c, err := w.connect()
	if err != nil {
		return err
	}
	defer c.close()
	now, version, err := c.list(ctx)
	if err != nil {
		return err
	}
	for name := range s.there {
		if !now[name] {
			s.owed[name] = true
		}
	}
	s.there = now
	if err := s.settle(ctx); err != nil {
		return err
	}
	return c.watch(ctx, version, func(e event) error {
		name := e.Object.Metadata.Name
		switch e.Type {
		case "ADDED", "MODIFIED":
			s.there[name] = true
		case "DELETED":
			delete(s.there, name)
			s.owed[name] = true
		}
		return s.settle(ctx)
	})
}

// settle tells of all that are gone.
func (s *state) settle(ctx context.Context) error {
	var failed error
	for name := range maps.Clone(s.owed) {
		if s.there[name] { // again
			delete(s.owed, name)
			continue
		}
		if err := s.gone(ctx, name); err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		delete(s.owed, name)
	}
	return failed
}
