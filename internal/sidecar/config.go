package sidecar

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	"carillon/internal/crossorigin"
	"carillon/internal/job"
)

// DaprVersion is the release of Dapr whose API this is. It is what metadata gives as the runtime's version where
// Config.Version is empty: SDKs parse that, and choose by it which calls they make, so that a version of our own would
// have them use calls that Dapr has dropped, or none.
const DaprVersion = "1.18.3"

// A Config says whom a sidecar serves, and where its schedulers are.
type Config struct {
	// Apps are the apps that this process delivers triggers to. A stand-in for daprd has one.
	Apps []App
	// DefaultApp is the app id that a request without a dapr-app-id header is about. Where it is empty, it is the only
	// app's, if there is just one; and else such requests are refused.
	DefaultApp string
	// AnyApp lets the dapr-app-id header name any app, as in a node for development. Otherwise it may name
	// DefaultApp alone.
	AnyApp bool
	// Namespace is that of all apps here. Schedulers refuse an empty one, which may be what a user asked for.
	Namespace string

	// Schedulers are addresses, host:port; one that works is enough. None, or a single one that is blank or only
	// quotes, means that there is no scheduler.
	Schedulers []string
	// Credentials secure the connections to schedulers, and say which server is one; nil is none, over plaintext.
	Credentials credentials.TransportCredentials
	// Await returns when the sidecar may begin, as with the certificate that Credentials need, or with the error of its
	// context. Until then the public listeners alone are served. Nil returns at once.
	Await func(ctx context.Context) error
	// Streams is how many streams to each scheduler bring the triggers of an app; 3 if zero.
	Streams int
	// NoPings turns the pings off that detect dead connections to schedulers and API clients, for connections in
	// memory.
	NoPings bool

	// NoHTTP2 leaves HTTP/1.1 as the only version of the HTTP API.
	NoHTTP2 bool
	// MaxBody is the most bytes in a request or a message; 4 MiB if zero.
	MaxBody int64
	// MaxCallBytes is how many bytes of requests are in work over all connections, HTTP and gRPC together; a message over
	// gRPC counts twice. As many again may be received from schedulers for lists, each of which may take 40 times MaxBody
	// of it. 64 times MaxBody if zero, and never less than 4 times.
	MaxCallBytes int64
	// MaxTriggerBytes is how many bytes of triggers' data are in work, over all streams of all apps; 64 MiB if zero. One
	// trigger more for each stream may have been received.
	MaxTriggerBytes int64
	// MaxAppConns is how many connections there are at most to all apps over HTTP, each of which has an equal part of them,
	// and 1,024 at most; 1,024 for each if zero. Over HTTP/1.1 each carries one call at a time.
	MaxAppConns int
	// MaxHeader is the most bytes of HTTP headers, give or take a few; 4 KiB if zero.
	MaxHeader int
	// APIToken must come with each request, unless it is empty.
	APIToken string
	// Hosts are by which names and addresses the HTTP listeners may be called, where no token is asked for.
	Hosts crossorigin.Hosts
	// AppToken goes to apps with each trigger, unless it is empty.
	AppToken string

	// Version is what metadata gives as the runtime's version, in the form 1.2.3, which SDKs parse; DaprVersion if empty.
	Version string
	// Shutdown is called, from a goroutine of its own, when a client has asked the process to end: in good order, or
	// by force. The client has had 100 ms to get its answer. Run waits for it to return, so that it may not wait for Run.
	// It may be called more than once. Where it is nil, a request to shut down is answered and changes nothing.
	Shutdown func(forced bool)
	// Check returns what keeps the scheduler in the same process from its work, or nil; nil if there is none. It does not
	// block, and is safe for concurrent use. What it finds makes the sidecar unhealthy.
	Check func() error
	// BlockShutdown is how long everything goes on after Run's context ended, unless the app turns unhealthy before.
	BlockShutdown time.Duration
	// Strict refuses requests that would be accepted with a warning.
	Strict bool
	// Connected reports whether a sidecar is connected that serves the target, to the scheduler in the same process; nil if
	// that is not known. It does not block, and is safe for concurrent use.
	Connected func(job.Target) bool
	// LogCalls logs a line for each call of the API, but none for public listeners.
	LogCalls bool

	// Metrics is where the sidecar registers its metrics; they are seen by nobody if it is nil.
	Metrics prometheus.Registerer
	// MetricsNamespace is the value of the label namespace on Dapr's metrics of jobs: that of the environment variable
	// NAMESPACE, and so empty where Namespace is "default" for want of another.
	MetricsNamespace string
}

// An App is an application that triggers are delivered to.
type App struct {
	// ID is the app id.
	ID string
	// Protocol is what the app speaks: http (also if empty), https, h2c, grpc or grpcs, in any case.
	Protocol string
	// Address is host:port. Without one there is no app, and all its triggers fail.
	Address string
	// MaxConcurrency is how many triggers are with the app at once; no limit if zero or less.
	MaxConcurrency int
	// Health says whether, and how, the app is asked for its health. It gets triggers only while it is healthy.
	Health HealthCheck
}

// A HealthCheck is how an app is asked for its health (sidecar specification §3.7).
type HealthCheck struct {
	Enabled bool
	// Path is what GET asks an HTTP app for; /healthz if empty.
	Path string
	// Interval is between probes; 5 s if zero or less.
	Interval time.Duration
	// Timeout is that of a probe; 500 ms if zero or less. It may not be larger than the interval.
	Timeout time.Duration
	// Threshold is how many probes must fail, one after the other, before a healthy app is unhealthy; 3 if less than 1.
	Threshold int
}

// A Dialer connects to host:port.
type Dialer func(ctx context.Context, address string) (net.Conn, error)

// Dialers say how to reach the others; nil is TCP.
type Dialers struct {
	Scheduler, App Dialer
}

// check sets defaults, and names what is wrong.
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
		c.MaxCallBytes = maxCallBodies * c.MaxBody
	}
	if c.MaxCallBytes > 0 { // a body of the largest size has to fit
		c.MaxCallBytes = max(c.MaxCallBytes, 4*c.MaxBody)
	}
	if c.MaxTriggerBytes == 0 {
		c.MaxTriggerBytes = maxBytesInWork
	}
	if c.MaxAppConns == 0 {
		c.MaxAppConns = maxConns * max(1, len(c.Apps))
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
		return fmt.Errorf("the bytes in work must be positive, not %d and %d", c.MaxCallBytes, c.MaxTriggerBytes)
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
		if err := c.Apps[i].check(); err != nil {
			return fmt.Errorf("app %q: %w", c.Apps[i].ID, err)
		}
		if seen[c.Apps[i].ID] {
			return fmt.Errorf("app %q is there twice", c.Apps[i].ID)
		}
		seen[c.Apps[i].ID] = true
	}
	return nil
}

// connsPerApp returns how many connections there are at most to each app over HTTP.
func (c *Config) connsPerApp() int {
	return min(maxConns, max(1, c.MaxAppConns/max(1, len(c.Apps))))
}

func (a *App) check() error {
	if a.ID == "" {
		return errors.New("its id is empty")
	}
	a.Protocol = strings.ToLower(a.Protocol)
	switch a.Protocol {
	case "":
		a.Protocol = "http"
	case "http", "https", "h2c", "grpc", "grpcs":
	default:
		return fmt.Errorf("protocol %q is none of http, https, h2c, grpc, grpcs", a.Protocol)
	}
	if a.Address != "" {
		if _, _, err := net.SplitHostPort(a.Address); err != nil {
			return err
		}
	}
	return a.Health.check()
}

// check sets defaults, and names what is wrong, for an app that is to be asked.
func (h *HealthCheck) check() error {
	if !h.Enabled {
		return nil
	}
	if h.Path == "" {
		h.Path = "/healthz"
	}
	h.Path = "/" + strings.TrimPrefix(h.Path, "/")
	if h.Interval <= 0 {
		h.Interval = 5 * time.Second
	}
	if h.Timeout <= 0 {
		h.Timeout = 500 * time.Millisecond
	}
	if h.Threshold < 1 {
		h.Threshold = 3
	}
	if h.Timeout > h.Interval {
		return fmt.Errorf("the health probe's timeout, %v, is larger than its interval, %v", h.Timeout, h.Interval)
	}
	if _, err := url.ParseRequestURI(h.Path); err != nil {
		return fmt.Errorf("the path of the health probe is none: %w", err)
	}
	return nil
}

func (a App) grpc() bool { return a.Protocol == "grpc" || a.Protocol == "grpcs" }

func (a App) tls() bool { return a.Protocol == "https" || a.Protocol == "grpcs" }
