package wire

import (
	runtimev1 "github.com/dapr/dapr/pkg/proto/runtime/v1"
)

// RenderMetadata returns the JSON of the metadata of a sidecar in the HTTP API (sidecar
// specification §1.8). Unlike everything else, the addresses of schedulers are in snake_case. It
// ends with a newline.
func RenderMetadata(m *runtimev1.GetMetadataResponse) ([]byte, error) {
	type health struct {
		Path      string `json:"healthCheckPath,omitempty"`
		Interval  string `json:"healthProbeInterval,omitempty"`
		Timeout   string `json:"healthProbeTimeout,omitempty"`
		Threshold int32  `json:"healthThreshold,omitempty"`
	}
	type appConnection struct {
		Port           int32   `json:"port,omitempty"`
		Protocol       string  `json:"protocol,omitempty"`
		ChannelAddress string  `json:"channelAddress,omitempty"`
		MaxConcurrency int32   `json:"maxConcurrency,omitempty"`
		Health         *health `json:"health,omitempty"`
	}
	type actorRuntime struct {
		Status    string `json:"runtimeStatus"`
		HostReady bool   `json:"hostReady"`
		Placement string `json:"placement,omitempty"`
	}
	type scheduler struct {
		ConnectedAddresses []string `json:"connected_addresses"`
	}
	out := struct {
		ID              string            `json:"id"`
		RuntimeVersion  string            `json:"runtimeVersion"`
		EnabledFeatures []string          `json:"enabledFeatures"`
		Extended        map[string]string `json:"extended"`
		App             appConnection     `json:"appConnectionProperties"`
		Actors          actorRuntime      `json:"actorRuntime"`
		Scheduler       *scheduler        `json:"scheduler,omitempty"`
	}{
		ID:              m.GetId(),
		RuntimeVersion:  m.GetRuntimeVersion(),
		EnabledFeatures: append([]string{}, m.GetEnabledFeatures()...), // a list, not null
		Extended:        m.GetExtendedMetadata(),
	}
	app := m.GetAppConnectionProperties()
	out.App = appConnection{
		Port: app.GetPort(), Protocol: app.GetProtocol(), ChannelAddress: app.GetChannelAddress(),
		MaxConcurrency: app.GetMaxConcurrency(),
	}
	if h := app.GetHealth(); h != nil {
		out.App.Health = &health{
			Path: h.GetHealthCheckPath(), Interval: h.GetHealthProbeInterval(), Timeout: h.GetHealthProbeTimeout(),
			Threshold: h.GetHealthThreshold(),
		}
	}
	actors := m.GetActorRuntime()
	out.Actors = actorRuntime{
		Status: actors.GetRuntimeStatus().String(), HostReady: actors.GetHostReady(), Placement: actors.GetPlacement(),
	}
	if m.GetScheduler() != nil {
		out.Scheduler = &scheduler{append([]string{}, m.GetScheduler().GetConnectedAddresses()...)}
	}
	b, err := encodeJSON(out)
	return append(b, '\n'), err
}
