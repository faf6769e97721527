package sidecar

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	"carillon/internal/crossorigin"
	"carillon/internal/job"
	"carillon/internal/sidecar/apiserver"
	"carillon/internal/sidecar/appclient"
	"carillon/internal/sidecar/delivery"
)

// DaprVersion is the release of Dapr whose API this is. It is the default of Config.Version. SDKs
// parse the version and choose by it which calls they make, so it cannot be our own.
const DaprVersion = "1.18.3"

// The types of the packages below that a Config consists of.
type (
	// An App describes an app that triggers are delivered to.
	App = appclient.Config
	// A HealthCheck says how an app's health is checked.
	HealthCheck = appclient.HealthCheck
	// Listeners are where the API is served. A sidecar closes them.
	Listeners = apiserver.Listeners
)

// A Config says which apps a sidecar serves, and where its schedulers are.
type Config struct {
	// Apps are the apps that this process delivers triggers to. A stand-in for daprd has one.
	Apps []App
	// DefaultApp is the app of a request without a dapr-app-id header. If it is empty and there is
	// exactly one app, it is that one; otherwise such requests are refused.
	DefaultApp string
	// AnyApp lets the dapr-app-id header name any app, as in a node for development. Otherwise it may
	// name DefaultApp only.
	AnyApp bool
	// Namespace is that of all apps here. Schedulers refuse an empty one, but a user may set it.
	Namespace string

	// Schedulers are addresses, host:port; one that works is enough. None, or a single one that is
	// blank or only quotes, means that there is no scheduler.
	Schedulers []string
	// Credentials secure the connections to schedulers, and authenticate the servers. With nil the
	// connections are plaintext.
	Credentials credentials.TransportCredentials
	// Await returns when the sidecar may begin, such as when Credentials have a certificate, or with
	// the error of its context. Until then only the public listeners are served. Nil returns at once.
	Await func(ctx context.Context) error
	// Streams is the number of streams to each scheduler that receive the triggers of an app;
	// 3 if zero.
	Streams int
	// NoPings disables the pings that detect dead connections to schedulers and API clients, for
	// connections in memory.
	NoPings bool

	// NoHTTP2 leaves HTTP/1.1 as the only version of the HTTP API.
	NoHTTP2 bool
	// MaxBody is the largest request or message, in bytes; 4 MiB if zero.
	MaxBody int64
	// MaxCallBytes limits the bytes of requests in flight over all connections, HTTP and gRPC
	// together. A message over gRPC counts twice. Lists may receive as many bytes again from
	// schedulers, each up to 40 times MaxBody. It is 64 times MaxBody if zero, and never less than 4
	// times.
	MaxCallBytes int64
	// MaxTriggerBytes limits the bytes of triggers' data in flight, over all streams of all apps; 64
	// MiB if zero. Each stream may have received one trigger more.
	MaxTriggerBytes int64
	// MaxAppConns is the most HTTP connections to all apps. Each app has an equal part of them, at
	// most 1,024. It is 1,024 for each if zero. An HTTP/1.1 connection carries one call at a time.
	MaxAppConns int
	// MaxHeader is the approximate limit of HTTP headers, in bytes; 4 KiB if zero.
	MaxHeader int
	// APIToken must come with each request, unless it is empty.
	APIToken string
	// Hosts are the names and addresses that HTTP requests may use if no token is required.
	Hosts crossorigin.Hosts
	// AppToken goes to apps with each trigger, unless it is empty.
	AppToken string

	// Version is the runtime version in the metadata, in the form 1.2.3; DaprVersion if empty.
	Version string
	// Shutdown is called when a client has asked the process to end, gracefully or by force. A
	// goroutine of its own calls it, possibly more than once, 100 ms after the request, so that the
	// client has its response. Run waits for it, so it must not wait for Run. If it is nil, a
	// shutdown request changes nothing.
	Shutdown func(forced bool)
	// Check returns why the scheduler in the same process does not work, or nil; it is nil if there
	// is none. Its error makes the sidecar unhealthy. It does not block, and is safe for concurrent
	// use.
	Check func() error
	// BlockShutdown is how long the sidecar keeps working after Run's context has ended, unless all
	// apps become unhealthy before.
	BlockShutdown time.Duration
	// Strict refuses requests that would be accepted with a warning.
	Strict bool
	// Connected reports whether a sidecar that serves the target is connected to the scheduler in the
	// same process; nil if that is unknown. It does not block, and is safe for concurrent use.
	Connected func(job.Target) bool
	// LogCalls logs each call of the API, except those on public listeners.
	LogCalls bool

	// Metrics is where the sidecar registers its metrics. With nil nothing collects them.
	Metrics prometheus.Registerer
	// MetricsNamespace is the label namespace of Dapr's metrics of jobs: the environment variable
	// NAMESPACE. It is empty if that is, even though Namespace then is "default".
	MetricsNamespace string
}

// A Dialer connects to host:port.
type Dialer func(ctx context.Context, address string) (net.Conn, error)

// Dialers say how to reach schedulers and apps; nil is TCP.
type Dialers struct {
	Scheduler, App Dialer
}

// check sets defaults. The error says what is wrong.
func (c *Config) check() error {
	if c.Credentials == nil {
		c.Credentials = insecure.NewCredentials()
	}
	if c.Await == nil {
		c.Await = func(context.Context) error { return nil }
	}
	if c.Streams == 0 {
		c.Streams = 3
	}
	if c.Version == "" {
		c.Version = DaprVersion
	}
	if c.MaxBody == 0 {
		c.MaxBody = 4 << 20
	}
	if c.MaxCallBytes == 0 {
		c.MaxCallBytes = apiserver.DefaultMaxCallBodies * c.MaxBody
	}
	if c.MaxCallBytes > 0 { // a body of the largest size must fit
		c.MaxCallBytes = max(c.MaxCallBytes, 4*c.MaxBody)
	}
	if c.MaxTriggerBytes == 0 {
		c.MaxTriggerBytes = delivery.DefaultMaxTriggerBytes
	}
	if c.MaxAppConns == 0 {
		c.MaxAppConns = appclient.MaxConns * max(1, len(c.Apps))
	}
	if c.MaxHeader == 0 {
		c.MaxHeader = 4 << 10
	}
	if len(c.Schedulers) == 1 && strings.TrimSpace(strings.Trim(c.Schedulers[0], `"'`)) == "" {
		c.Schedulers = nil
	}
	if c.DefaultApp == "" && len(c.Apps) == 1 && !c.AnyApp {
		c.DefaultApp = c.Apps[0].ID
	}
	switch {
	case c.Streams < 0:
		return fmt.Errorf("there must be at least 1 stream, not %d", c.Streams)
	case c.MaxBody < 0:
		return fmt.Errorf("the body limit must be positive, not %d", c.MaxBody)
	case c.MaxCallBytes < 0 || c.MaxTriggerBytes < 0:
		return fmt.Errorf("the bytes of calls and of triggers in flight must be positive, not %d and %d", c.MaxCallBytes, c.MaxTriggerBytes)
	case c.MaxAppConns < 0:
		return fmt.Errorf("the connections to apps must be at least 1, not %d", c.MaxAppConns)
	case c.MaxHeader < 0:
		return fmt.Errorf("the header limit must be positive, not %d", c.MaxHeader)
	case strings.ContainsFunc(c.AppToken, unicode.IsControl):
		return errors.New("the token for apps contains a control character, such as the end of a line: no header can carry it")
	case c.DefaultApp == "" && !c.AnyApp:
		return errors.New("there is no default app, and no header may name another")
	}
	c.Apps = slices.Clone(c.Apps)
	seen := make(map[string]bool)
	for i := range c.Apps {
		if err := c.Apps[i].Check(); err != nil {
			return fmt.Errorf("app %q: %w", c.Apps[i].ID, err)
		}
		if seen[c.Apps[i].ID] {
			return fmt.Errorf("app %q is there twice", c.Apps[i].ID)
		}
		seen[c.Apps[i].ID] = true
	}
	return nil
}

// connsPerApp returns the most HTTP connections to each app.
func (c *Config) connsPerApp() int {
	return min(appclient.MaxConns, max(1, c.MaxAppConns/max(1, len(c.Apps))))
}
