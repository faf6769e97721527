package sidecar

import (
	"maps"
	"math"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"unicode/utf8"

	runtimev1 "github.com/dapr/dapr/pkg/proto/runtime/v1"

	"carillon/internal/job"
	"carillon/internal/wire"
)

// The bounds of what clients add to the metadata. At the bound they are refused; replacing an entry by one of the same
// size always works.
const (
	maxExtended      = 1000
	maxExtendedBytes = 1 << 20 // of keys and values
)

// metadata describes this sidecar and its default app, in the form of the gRPC API (sidecar specification §1.8, §2.4).
func (s *Sidecar) metadata() *runtimev1.GetMetadataResponse {
	m := &runtimev1.GetMetadataResponse{
		Id:                      s.cfg.DefaultApp,
		RuntimeVersion:          s.cfg.Version,
		ExtendedMetadata:        s.extended.all(),
		AppConnectionProperties: s.appProperties(),
		ActorRuntime: &runtimev1.ActorRuntime{
			RuntimeStatus: runtimev1.ActorRuntime_DISABLED, Placement: "placement: disconnected",
		},
	}
	if hosts, known, _ := s.schedulers.list(); known {
		m.Scheduler = &runtimev1.MetadataScheduler{ConnectedAddresses: hosts}
	}
	return m
}

// appProperties says how the default app is called. Where it has no address it is described as Dapr does: as one that
// would be called over HTTP on this machine, but for the port.
func (s *Sidecar) appProperties() *runtimev1.AppConnectionProperties {
	p := &runtimev1.AppConnectionProperties{Protocol: "http", ChannelAddress: "127.0.0.1"}
	for _, a := range s.cfg.Apps {
		if a.ID != s.cfg.DefaultApp {
			continue
		}
		p.Protocol = a.Protocol
		if host, port, err := net.SplitHostPort(a.Address); err == nil {
			number, _ := strconv.ParseUint(port, 10, 16) // a service's name has none to show
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
		if !a.grpc() {
			p.Health.HealthCheckPath = a.Health.Path
		}
	}
	return p
}

// setMetadata adds an entry to the metadata, or replaces one. Every error is a *wire.APIError.
func (s *Sidecar) setMetadata(key, value string) error {
	switch {
	case !utf8.ValidString(key) || !utf8.ValidString(value):
		return wire.NewAPIError(wire.ReasonMalformed, job.Target{}, "the key and the value of metadata must be UTF-8")
	case !s.extended.set(key, value):
		return wire.NewAPIError(wire.ReasonMetadataFull, job.Target{}, "the metadata is full: there is room for "+
			strconv.Itoa(maxExtended)+" entries and "+strconv.Itoa(maxExtendedBytes)+" bytes")
	}
	return nil
}

func (s *Sidecar) getMetadata(w http.ResponseWriter) {
	body, err := wire.RenderMetadata(s.metadata())
	if err != nil {
		answer(w, job.Target{}, err)
		return
	}
	writeJSON(w, http.StatusOK, body)
}

// putMetadata takes the body as it is for the value of an entry. The key is decoded as names of jobs are.
func (s *Sidecar) putMetadata(w http.ResponseWriter, r *http.Request, to route) {
	key, err := url.QueryUnescape(to.name)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	body, held, err := s.readBody(r, job.Target{})
	if err != nil {
		answer(w, job.Target{}, err)
		return
	}
	defer held.end()
	if err := s.setMetadata(key, string(body)); err != nil {
		answer(w, job.Target{}, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// extended is what clients add to the metadata. It is safe for concurrent use.
type extended struct {
	mu      sync.Mutex // guards the fields below
	entries map[string]string
	bytes   int // of keys and values
}

// set reports whether there was room for the entry.
func (e *extended) set(key, value string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	entries, bytes := len(e.entries), e.bytes+len(value)
	if old, ok := e.entries[key]; ok {
		bytes -= len(old)
	} else {
		entries++
		bytes += len(key)
	}
	if entries > maxExtended || bytes > maxExtendedBytes {
		return false
	}
	if e.entries == nil {
		e.entries = make(map[string]string)
	}
	e.entries[key], e.bytes = value, bytes
	return true
}

// all returns a copy.
func (e *extended) all() map[string]string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return maps.Clone(e.entries)
}
