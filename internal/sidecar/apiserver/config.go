package apiserver

import (
	"net"

	"carillon/internal/crossorigin"
	"carillon/internal/job"
	"carillon/internal/sidecar/appclient"
	"carillon/internal/sidecar/daprmetrics"
)

// A Config says what a server serves. All limits must be set.
type Config struct {
	// Apps are the apps that this sidecar delivers triggers to, after their checks.
	Apps []appclient.Config
	// DefaultApp is the app of a request without a dapr-app-id header. It may be empty.
	DefaultApp string
	// AnyApp lets the dapr-app-id header name any app, not only DefaultApp.
	AnyApp    bool
	Namespace string

	// NoPings disables the pings that detect dead connections.
	NoPings bool
	// NoHTTP2 leaves HTTP/1.1 as the only version of the HTTP API.
	NoHTTP2 bool
	// MaxBody is the largest body or message, in bytes.
	MaxBody int64
	// MaxCallBytes limits the bytes of the calls in flight.
	MaxCallBytes int64
	// MaxHeader is the largest HTTP header, in bytes.
	MaxHeader int
	// APIToken must come with each request, unless it is empty.
	APIToken string
	// Hosts are the names and addresses that HTTP requests without a token may use.
	Hosts crossorigin.Hosts

	// Version is the runtime version in the metadata.
	Version string
	// Shutdown ends the process; it may be nil. See the field in the sidecar's Config.
	Shutdown func(forced bool)
	// Check returns why the process is unhealthy, or nil; it may be nil itself.
	Check func() error
	// Strict refuses requests that would be accepted with a warning.
	Strict bool
	// Connected reports whether a sidecar serves the target; nil if that is unknown here.
	Connected func(job.Target) bool
	// LogCalls logs each call, except those on public listeners.
	LogCalls bool

	// Metrics is where the server registers its metrics.
	Metrics daprmetrics.Registry
}

// Listeners are where the API is served. The server closes them.
type Listeners struct {
	HTTP, GRPC []net.Listener
	// Public serve health and metadata only, without a token.
	Public []net.Listener
	// Internal are the ports on which Dapr's sidecars call each other. They serve no method.
	Internal []net.Listener
}
