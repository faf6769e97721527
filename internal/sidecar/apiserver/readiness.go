package apiserver

import (
	"fmt"
	"strings"
	"sync/atomic"
)

// Readiness is what a sidecar waits for before it reports that it is healthy. A part that became
// ready stays ready: a scheduler or app that goes away later does not make the sidecar unhealthy.
// It is safe for concurrent use.
type Readiness struct {
	certificate atomic.Bool  // there is one, or none is needed
	grpc        atomic.Bool  // the gRPC server runs
	schedulers  atomic.Bool  // there is a list of schedulers, or there is no scheduler
	apps        atomic.Int32 // how many apps are not listening yet
}

// NewReadiness returns the readiness of a sidecar of that many apps.
func NewReadiness(apps int) *Readiness {
	r := &Readiness{}
	r.apps.Store(int32(apps))
	return r
}

// SetCertificate says that there is a certificate, or none is needed.
func (r *Readiness) SetCertificate() { r.certificate.Store(true) }

// SetSchedulers says that there is a list of schedulers, and reports whether it is the first.
func (r *Readiness) SetSchedulers() (first bool) { return !r.schedulers.Swap(true) }

// AddApp says that one more app listens, and reports whether it is the last.
func (r *Readiness) AddApp() (last bool) { return r.apps.Add(-1) == 0 }

// missing returns Dapr's names of the parts that are not ready.
func (r *Readiness) missing() []string {
	var names []string
	if !r.certificate.Load() {
		names = append(names, "security-provider")
	}
	if !r.grpc.Load() {
		names = append(names, "grpc-api-server")
	}
	if r.apps.Load() > 0 {
		names = append(names, "runtime")
	}
	if !r.schedulers.Load() {
		names = append(names, "scheduler-watch-hosts")
	}
	return names
}

// helpReady says what the missing parts wait for.
func (s *Server) helpReady(missing []string) string {
	var waits []string
	for _, name := range missing {
		switch name {
		case "security-provider": // everything else waits for it
			return name + " waits for a certificate, from Sentry or from files: the log says what is wrong"
		case "grpc-api-server":
			waits = append(waits, name+" opens its ports")
		case "runtime":
			var apps []string
			for _, a := range s.cfg.Apps {
				if a.Address == "" {
					continue
				}
				apps = append(apps, fmt.Sprintf("%.100q at %s", a.ID, a.Address))
			}
			waits = append(waits, name+" waits until the app listens, "+strings.Join(apps, ", ")+": start it, or correct --app-port")
		case "scheduler-watch-hosts":
			waits = append(waits, name+" waits for a scheduler at "+strings.Join(s.cfg.Schedulers, ", ")+": start it, or correct --scheduler-host-address")
		}
	}
	return strings.Join(waits, "; ")
}
