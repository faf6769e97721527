package apiserver

import (
	"math"
	"net"
	"strconv"
	"unicode/utf8"

	runtimev1 "github.com/dapr/dapr/pkg/proto/runtime/v1"

	"carillon/internal/job"
	"carillon/internal/sidecar/appclient"
	"carillon/internal/sidecar/schedulerclient"
	"carillon/internal/wire"
)

// A metadataService describes this sidecar and its default app.
type metadataService struct {
	apps                []appclient.Config
	defaultApp, version string
	schedulers          *schedulerclient.Client
	entries             metadataStore
}

func newMetadataService(cfg Config, schedulers *schedulerclient.Client) *metadataService {
	m := &metadataService{
		apps: cfg.Apps, defaultApp: cfg.DefaultApp, version: cfg.Version, schedulers: schedulers,
	}
	m.entries.set("daprRuntimeVersion", cfg.Version)
	return m
}

// describe returns the metadata of this sidecar and its default app, in the form of the gRPC API
// (sidecar specification §1.8, §2.4).
func (s *metadataService) describe() *runtimev1.GetMetadataResponse {
	m := &runtimev1.GetMetadataResponse{
		Id:                      s.defaultApp,
		RuntimeVersion:          s.version,
		ExtendedMetadata:        s.entries.all(),
		AppConnectionProperties: s.appProperties(),
		ActorRuntime: &runtimev1.ActorRuntime{
			RuntimeStatus: runtimev1.ActorRuntime_DISABLED, Placement: "placement: disconnected",
		},
	}
	if hosts, known, _ := s.schedulers.Hosts(); known {
		m.Scheduler = &runtimev1.MetadataScheduler{ConnectedAddresses: hosts}
	}
	return m
}

// appProperties describes how the default app is called. Like Dapr it describes an app without an
// address as one that is called over HTTP on this machine, without a port.
func (s *metadataService) appProperties() *runtimev1.AppConnectionProperties {
	p := &runtimev1.AppConnectionProperties{Protocol: "http", ChannelAddress: "127.0.0.1"}
	for _, a := range s.apps {
		if a.ID != s.defaultApp {
			continue
		}
		p.Protocol = a.Protocol
		if host, port, err := net.SplitHostPort(a.Address); err == nil {
			number, _ := strconv.ParseUint(port, 10, 16) // the name of a service has no number
			p.ChannelAddress, p.Port = host, int32(number)
		}
		p.MaxConcurrency = int32(min(max(a.MaxConcurrency, 0), math.MaxInt32))
		if !a.Health.Enabled {
			continue
		}
		p.Health = &runtimev1.AppConnectionHealthProperties{
			HealthProbeInterval: a.Health.Interval.String(),
			HealthProbeTimeout:  a.Health.Timeout.String(),
			HealthThreshold:     int32(min(max(a.Health.Threshold, 0), math.MaxInt32)),
		}
		if !a.IsGRPC() {
			p.Health.HealthCheckPath = a.Health.Path
		}
	}
	return p
}

// set adds or replaces an entry. Every error is a *wire.APIError.
func (s *metadataService) set(key, value string) error {
	switch {
	case !utf8.ValidString(key) || !utf8.ValidString(value):
		return wire.NewAPIError(wire.ReasonMalformed, job.Target{}, "the key and the value of metadata must be UTF-8")
	case !s.entries.set(key, value):
		return wire.NewAPIError(wire.ReasonMetadataFull, job.Target{}, "the metadata is full: it holds at most "+
			strconv.Itoa(maxEntries)+" entries and "+strconv.Itoa(maxEntryBytes)+" bytes")
	}
	return nil
}
