package sidecar

import (
	"context"
	"crypto/subtle"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"carillon/internal/job"
	"carillon/internal/wire"
)

const tokenHeader = "dapr-api-token"

// bodyTime is how long a client has to send a request, from its first byte to its last, and takeTime how long it has
// from its header on until it has taken the answer, which takes callTimeout to make.
const (
	bodyTime = time.Minute
	takeTime = 3 * time.Minute
)

// serveHTTP answers requests until ctx ends. It returns when the last one has ended, or a listener failed.
func (s *Sidecar) serveHTTP(
	ctx context.Context, log *slog.Logger, listeners []net.Listener, answer http.HandlerFunc,
) error {
	var serving gate
	requests, abort := context.WithCancel(context.WithoutCancel(ctx))
	defer abort()
	server := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !serving.enter() {
				panic(http.ErrAbortHandler) // read from a connection that is closed by now
			}
			defer serving.leave()
			answer(w, r)
		}),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       bodyTime,
		WriteTimeout:      takeTime,
		IdleTimeout:       -1, // clients keep connections for as long as they like
		MaxHeaderBytes:    s.cfg.MaxHeader,
		Protocols:         new(http.Protocols),

		DisableGeneralOptionsHandler: true, // OPTIONS * is no route, either

		BaseContext: func(net.Listener) context.Context { return requests },
		ErrorLog:    slog.NewLogLogger(s.log.Handler(), slog.LevelDebug), // clients that misbehave
	}
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetUnencryptedHTTP2(!s.cfg.NoHTTP2) // with prior knowledge; an upgrade is answered over HTTP/1.1

	g, ctx := errgroup.WithContext(ctx)
	for _, l := range listeners {
		say(ctx, log, "HTTP server is running on port "+port(l.Addr().String()), slog.String("address", l.Addr().String()))
		g.Go(func() error {
			if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				return err
			}
			return nil
		})
	}
	g.Go(func() error {
		<-ctx.Done()
		// Requests may finish; then those that have not are broken off, and their clients told; then there is an end.
		if shutdown(ctx, server, drainTime) != nil {
			abort()
			if shutdown(ctx, server, drainTime/10) != nil {
				_ = server.Close()
			}
		}
		serving.close()
		return nil
	})
	return g.Wait()
}

func shutdown(ctx context.Context, server *http.Server, within time.Duration) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), within)
	defer cancel()
	return server.Shutdown(ctx)
}

// httpAPI is what answers the HTTP API.
func (s *Sidecar) httpAPI() http.HandlerFunc {
	counted := s.metrics.api.count(http.HandlerFunc(s.answerHTTP)).ServeHTTP
	if s.cfg.LogCalls {
		return s.logHTTP(counted)
	}
	return counted
}

// refuse returns what a caller is told who may not call, and the status that goes with it.
func (s *Sidecar) refuse(r *http.Request) (why string, code int) {
	switch {
	case !s.authentic(r.Header.Get(tokenHeader)):
		return "invalid api token", http.StatusUnauthorized
	case s.cfg.APIToken == "":
		return s.browsers.Refuse(r), http.StatusForbidden
	}
	return "", 0
}

// answerHTTP answers a request of the HTTP API. The order of checks is Dapr's: the token, or who calls without one, the route,
// and then what the route is about.
func (s *Sidecar) answerHTTP(w http.ResponseWriter, r *http.Request) {
	to := match(r.Method, r.URL)
	if to.resource != health && to.resource != outboundHealth {
		if why, code := s.refuse(r); why != "" {
			if code == http.StatusUnauthorized {
				s.refuseToken(w, r)
			}
			if r.ContentLength != 0 { // or the answer would wait for the body
				w.Header().Set("Connection", "close")
			}
			http.Error(w, why, code)
			return
		}
	}
	r.Header.Del(tokenHeader)
	switch to.resource {
	case health:
		s.getHealth(w, r)
	case outboundHealth:
		s.getOutboundHealth(w)
	case theEnd:
		s.postShutdown(w, r)
	case aJob, manyJobs, allMetadata, oneMetadata:
		if !s.calls.enter() {
			writeError(w, s.calls.tooMany(job.Target{}))
			return
		}
		defer s.calls.leave()
		s.answerCall(w, r, to)
	default:
		writeError(w, notRoute(r))
	}
}

// answerCall answers a request that has its place among the calls in work.
func (s *Sidecar) answerCall(w http.ResponseWriter, r *http.Request, to route) {
	switch to.resource {
	case allMetadata:
		s.getMetadata(w)
	case oneMetadata:
		s.putMetadata(w, r, to)
	case manyJobs:
		s.postBatch(w, r)
	default:
		s.serveJob(w, r, to)
	}
}

// answerPublic answers a request on a public listener: no token is asked for, and there is nothing to change.
func (s *Sidecar) answerPublic(w http.ResponseWriter, r *http.Request) {
	switch match(r.Method, r.URL).resource {
	case health:
		s.getHealth(w, r)
	case outboundHealth:
		s.getOutboundHealth(w)
	case allMetadata:
		if why := s.browsers.Refuse(r); why != "" {
			http.Error(w, why, http.StatusForbidden)
			return
		}
		s.getMetadata(w)
	default:
		http.NotFound(w, r)
	}
}

// authentic reports whether a token is the one that callers must have.
func (s *Sidecar) authentic(token string) bool {
	return s.cfg.APIToken == "" || subtle.ConstantTimeCompare([]byte(token), []byte(s.cfg.APIToken)) == 1
}

func writeError(w http.ResponseWriter, e *wire.APIError) {
	if e.HTTP == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1") // second: calls in work end within milliseconds, and a scheduler is back soon
	}
	writeJSON(w, e.HTTP, e.Body())
}

func writeJSON(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that has gone needs no answer
}
