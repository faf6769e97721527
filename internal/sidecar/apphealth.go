package sidecar

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	runtimev1 "github.com/dapr/dapr/pkg/proto/runtime/v1"
	"google.golang.org/protobuf/types/known/emptypb"
)

// vitals is which apps are healthy: all that are not asked, and of the others those whose probes say so (sidecar
// specification §3.7). It is safe for concurrent use.
type vitals struct {
	mu      sync.Mutex // guards the fields below
	healthy map[string]bool
	changed chan struct{} // closed, and replaced, when healthy changes
}

func newVitals(apps []App) *vitals {
	v := &vitals{healthy: make(map[string]bool), changed: make(chan struct{})}
	for _, a := range apps {
		v.healthy[a.ID] = !a.asked()
	}
	return v
}

// asked reports whether there is an app that is to be asked for its health.
func (a App) asked() bool { return a.Health.Enabled && a.Address != "" }

// of reports whether an app is healthy, and what is closed when some app's health changes.
func (v *vitals) of(app string) (healthy bool, changed <-chan struct{}) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.healthy[app], v.changed
}

func (v *vitals) set(app string, healthy bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.healthy[app] = healthy
	close(v.changed)
	v.changed = make(chan struct{})
}

// awaitSickness returns when all apps are unhealthy, or ctx has ended. Where there are no apps, none is unhealthy.
func (v *vitals) awaitSickness(ctx context.Context) {
	for {
		v.mu.Lock()
		sick, changed := len(v.healthy) > 0, v.changed
		for _, healthy := range v.healthy {
			sick = sick && !healthy
		}
		v.mu.Unlock()
		if sick {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

// A prober asks an app for its health. It has connections of its own, so that an app with all hands full can answer.
type prober interface { // httpProber; grpcProber
	// probe asks once. The error says why the app is not healthy.
	probe(ctx context.Context) error
	// close ends connections to the app.
	close()
}

// newProber returns what asks the app a.
func (s *Sidecar) newProber(ctx context.Context, a App, m appMetrics) (prober, error) {
	if a.grpc() {
		conn, err := connectApp(a, s.cfg, s.dial.App)
		if err != nil {
			return nil, err
		}
		return &grpcProber{conn: conn, metrics: m}, nil
	}
	to := appURL(a)
	return &httpProber{url: to.String() + a.Health.Path, transport: newTransport(a, s.cfg, s.dialWhile(ctx)), metrics: m}, nil
}

// watchApp asks an app for its health until ctx ends: at once, and then at each interval. Only what the probes say
// counts, and not how triggers fare; a probe that this process could not make says nothing. One success makes an app
// healthy. As many failures in a row as the threshold says make it unhealthy; Dapr counts them all since the app
// became healthy, whatever came between.
func (s *Sidecar) watchApp(ctx context.Context, a App, p prober, m appMetrics, log *slog.Logger) {
	tick := time.NewTicker(a.Health.Interval)
	defer tick.Stop()
	healthy, failures, told := false, 0, false
	turn := func(now bool) {
		healthy, failures, told = now, 0, true
		s.vitals.set(a.ID, now)
	}
	for {
		err := probeOnce(ctx, p, a.Health.Timeout)
		if ctx.Err() != nil {
			return
		}
		switch {
		case isLocal(err):
			log.WarnContext(ctx, "the app could not be asked for its health, which stays what it was", slog.Any("err", err))
		case err != nil:
			failures++
			log.DebugContext(ctx, "a probe of the app's health failed", slog.Any("err", err))
		default:
			failures = 0
		}
		switch {
		case isLocal(err):
		case !healthy && err == nil:
			turn(true)
			m.healthy().Set(1)
			log.InfoContext(ctx, "the app is healthy and gets triggers")
		case healthy && failures == a.Health.Threshold, !told:
			turn(false)
			m.healthy().Set(0)
			log.WarnContext(ctx, "the app is unhealthy and gets no triggers", slog.Any("err", err))
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func probeOnce(ctx context.Context, p prober, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return p.probe(ctx)
}

// An httpProber is for apps that are called over HTTP. Neither the app's token nor its id goes with a probe.
type httpProber struct {
	url       string
	transport *http.Transport
	metrics   appMetrics
}

func (p *httpProber) probe(ctx context.Context) error {
	began := time.Now()
	code, err := p.get(ctx)
	if isLocal(err) {
		return err
	}
	counted := code
	if err != nil {
		counted = http.StatusInternalServerError // in Dapr's metrics
	}
	p.metrics.httpProbes.of(httpCodeOf(counted)).add(time.Since(began))
	if err != nil {
		return err
	}
	if !succeeded(code) {
		return fmt.Errorf("the app answered %s with status %d", p.url, code)
	}
	return nil
}

func (p *httpProber) get(ctx context.Context) (code int, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url, http.NoBody)
	if err != nil {
		return 0, err
	}
	res, err := p.transport.RoundTrip(req)
	if err != nil {
		p.transport.CloseIdleConnections() // over HTTP/2 the next probe would use the same one
		return 0, fmt.Errorf("ask the app at %s: %w", p.url, err)
	}
	defer func() { _ = res.Body.Close() }()
	discard(res.Body)
	return res.StatusCode, nil
}

func (p *httpProber) close() { p.transport.CloseIdleConnections() }

// A grpcProber is for apps that are called over gRPC. One that has not got the method is unhealthy.
type grpcProber struct {
	conn    *appConn
	metrics appMetrics
}

func (p *grpcProber) probe(ctx context.Context) error {
	began := time.Now()
	_, err := runtimev1.NewAppCallbackHealthCheckClient(p.conn).HealthCheck(ctx, &emptypb.Empty{})
	if isLocal(err) {
		return err
	}
	p.metrics.grpcProbes.of(codeOf(err)).add(time.Since(began))
	if err != nil {
		return fmt.Errorf("ask the app with %s: %w", runtimev1.AppCallbackHealthCheck_HealthCheck_FullMethodName, err)
	}
	return nil
}

func (p *grpcProber) close() { p.conn.close() }
