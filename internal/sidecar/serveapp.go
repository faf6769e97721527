package sidecar

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// serveApp delivers triggers to an app until ctx ends: it waits until the app listens, and then keeps streams to each
// scheduler of the list while the app is healthy. When it returns, they have ended, and so have all calls to the app.
func (s *Sidecar) serveApp(ctx context.Context, a App) error {
	log := s.log.With(slog.String("app", a.ID))
	if a.Address != "" && !s.awaitApp(ctx, log, a) {
		return nil
	}
	opened, err := s.openApp(ctx, a, log)
	if err != nil {
		return err
	}
	defer opened.close(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	if a.asked() {
		p, err := s.newProber(ctx, a, opened.metrics)
		if err != nil {
			return err
		}
		running.Go(func() {
			defer p.close()
			s.watchApp(ctx, a, p, opened.metrics, log)
		})
	}
	if s.ready.apps.Add(-1) == 0 {
		say(ctx, s.log, fmt.Sprintf("dapr initialized. Status: Running. Init Elapsed %dms", time.Since(s.began).Milliseconds()))
	}
	s.keepStreams(ctx, a, opened, &running)
	return nil
}

// keepStreams opens and closes streams, which it adds to running, until ctx ends: there are some to each scheduler of the
// list while the app is healthy, and else none.
func (s *Sidecar) keepStreams(ctx context.Context, a App, to *app, running *sync.WaitGroup) {
	cancel := make(map[string]context.CancelFunc) // of a host's streams
	defer func() {
		for _, stop := range cancel {
			stop()
		}
	}()
	for {
		hosts, _, listed := s.schedulers.list()
		healthy, turned := s.vitals.of(a.ID)
		if !healthy {
			hosts = nil
		}
		for host, stop := range cancel {
			if !slices.Contains(hosts, host) {
				stop()
				delete(cancel, host)
			}
		}
		for _, host := range hosts {
			if cancel[host] != nil {
				continue
			}
			ofHost, stop := context.WithCancel(ctx)
			cancel[host] = stop
			for range s.cfg.Streams {
				st := &stream{
					appID: a.ID, namespace: s.cfg.Namespace, host: host, app: to, triggers: s.triggers, connect: s.connect,
					log: to.log.With(slog.String("node", host)),
				}
				running.Go(func() { st.run(ofHost) })
			}
		}
		select {
		case <-listed:
		case <-turned:
		case <-ctx.Done():
			return
		}
	}
}

// awaitApp reports whether the app accepted a connection before ctx ended. Nothing is sent: an app that listens and
// does not serve yet is there.
func (s *Sidecar) awaitApp(ctx context.Context, log *slog.Logger, a App) bool {
	line := "application protocol: %s. waiting on port %s.  This will block until the app is listening on that port."
	say(ctx, log, fmt.Sprintf(line, a.Protocol, port(a.Address)), slog.String("address", a.Address))
	for {
		if s.tryApp(ctx, a) == nil {
			say(ctx, log, "application discovered on port "+port(a.Address), slog.String("address", a.Address))
			return true
		}
		if !pause(ctx, 100*time.Millisecond, 100*time.Millisecond) {
			return false
		}
	}
}

func (s *Sidecar) tryApp(ctx context.Context, a App) error {
	ctx, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
	defer cancel()
	conn, err := s.dial.App(ctx, a.Address)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	if a.tls() {
		return tls.Client(conn, appTLS(a)).HandshakeContext(ctx)
	}
	return nil
}
