package sidecar

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"

	"carillon/internal/job"
	"carillon/internal/wire"
)

// readiness is what a sidecar waits for before it says that it is healthy. What became ready stays so: a scheduler or
// an app that goes away later does not make the sidecar unhealthy. What Config.Check finds does.
type readiness struct {
	begun atomic.Bool  // there is a certificate, if one is needed
	grpc  atomic.Bool  // the gRPC server runs
	hosts atomic.Bool  // a list of schedulers has been applied, or there are none to be had
	apps  atomic.Int32 // how many apps have not been found listening yet
}

// missing names what is not ready, with Dapr's names.
func (r *readiness) missing() []string {
	var names []string
	if !r.begun.Load() {
		names = append(names, "security-provider")
	}
	if !r.grpc.Load() {
		names = append(names, "grpc-api-server")
	}
	if r.apps.Load() > 0 {
		names = append(names, "runtime")
	}
	if !r.hosts.Load() {
		names = append(names, "scheduler-watch-hosts")
	}
	return names
}

func (s *Sidecar) getHealth(w http.ResponseWriter, r *http.Request) {
	if missing := s.ready.missing(); len(missing) > 0 {
		message := "dapr is not ready: [" + strings.Join(missing, " ") + "]"
		writeError(w, wire.NewAPIError(wire.ReasonNotReady, job.Target{}, message).WithHelp(s.helpReady(missing)))
		return
	}
	if s.cfg.Check != nil {
		if err := s.cfg.Check(); err != nil {
			writeError(w, wire.NewAPIError(wire.ReasonNotReady, job.Target{}, "dapr is not ready: "+err.Error()))
			return
		}
	}
	if app := r.URL.Query().Get("appid"); app != "" && !s.serves(app) {
		writeError(w, wire.NewAPIError(wire.ReasonOtherHealth, job.Target{}, "dapr app-id does not match").WithHelp(
			fmt.Sprintf("this is the sidecar of the app %.100q", s.cfg.DefaultApp)))
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// getOutboundHealth says that the API works, which is so as soon as there is anybody to ask.
func (s *Sidecar) getOutboundHealth(w http.ResponseWriter) { w.WriteHeader(http.StatusNoContent) }
