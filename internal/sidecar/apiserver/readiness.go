package apiserver

import (
	"fmt"
	"strings"
	"sync/atomic"

	"carillon/internal/sidecar/appclient"
)

// Readiness is what a sidecar waits for before it reports that it is healthy. A part that became
// ready stays ready: a scheduler or app that goes away later does not make the sidecar unhealthy.
// It is safe for concurrent use.
type Readiness struct {
	apps       []appclient.Config // for the help
	schedulers []string           // addresses, for the help

	certificate atomic.Bool  // there is one, or none is needed
	grpc        atomic.Bool  // the gRPC server runs
	listed      atomic.Bool  // there is a list of schedulers, or there is no scheduler
	absent      atomic.Int32 // apps that are not listening yet
}

// NewReadiness returns the readiness of a sidecar that waits for these apps and schedulers.
func NewReadiness(apps []appclient.Config, schedulers []string) *Readiness {
	r := &Readiness{apps: apps, schedulers: schedulers}
	r.absent.Store(int32(len(apps)))
	return r
}

// SetCertificate says that there is a certificate, or none is needed.
func (r *Readiness) SetCertificate() { r.certificate.Store(true) }

func (r *Readiness) setGRPC() { r.grpc.Store(true) }

// SetSchedulers says that there is a list of schedulers, and reports whether it is the first.
func (r *Readiness) SetSchedulers() (first bool) { return !r.listed.Swap(true) }

// AddApp says that one more app listens, and reports whether it is the last.
func (r *Readiness) AddApp() (last bool) { return r.absent.Add(-1) == 0 }

// missing returns Dapr's names of the parts that are not ready.
func (r *Readiness) missing() []string {
	var names []string
	if !r.certificate.Load() {
		names = append(names, "security-provider")
	}
	if !r.grpc.Load() {
		names = append(names, "grpc-api-server")
	}
	if r.absent.Load() > 0 {
		names = append(names, "runtime")
	}
	if !r.listed.Load() {
		names = append(names, "scheduler-watch-hosts")
	}
	return names
}

// help says what the missing parts wait for.
func (r *Readiness) help(missing []string) string {
	var waits []string
	for _, name := range missing {
		switch name {
		case "security-provider": // everything else waits for it
			return name + " waits for a certificate, from Sentry or from files: the log says what is wrong"
		case "grpc-api-server":
			waits = append(waits, name+" opens its ports")
		case "runtime":
			var apps []string
			for _, a := range r.apps {
				if a.Address == "" {
					continue
				}
				apps = append(apps, fmt.Sprintf("%.100q at %s", a.ID, a.Address))
			}
			waits = append(waits, name+" waits until the app listens, "+strings.Join(apps, ", ")+": start it, or correct --app-port")
		case "scheduler-watch-hosts":
			waits = append(waits, name+" waits for a scheduler at "+strings.Join(r.schedulers, ", ")+": start it, or correct --scheduler-host-address")
		}
	}
	return strings.Join(waits, "; ")
}
