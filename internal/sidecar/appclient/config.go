package appclient

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"
)

// MaxConns is the most HTTP connections to one app.
const MaxConns = 1024

// A Config describes an app.
type Config struct {
	// ID is the app ID.
	ID string
	// Protocol is http (the default), https, h2c, grpc or grpcs, in any case.
	Protocol string
	// Address is host:port. If empty, there is no app, and all its triggers fail.
	Address string
	// MaxConcurrency is the most triggers that the app handles at once; zero or less is no limit.
	MaxConcurrency int
	// Health says whether and how the app's health is checked. An unhealthy app gets no triggers.
	Health HealthCheck
}

// A HealthCheck says how an app's health is checked (sidecar specification §3.7).
type HealthCheck struct {
	Enabled bool
	// Path is the path of the GET request to an HTTP app; /healthz if empty.
	Path string
	// Interval is the time between probes; 5 s if zero or less.
	Interval time.Duration
	// Timeout is that of a probe; 500 ms if zero or less. It must not exceed Interval.
	Timeout time.Duration
	// Threshold is how many probes in a row must fail before a healthy app becomes unhealthy;
	// 3 if less than 1.
	Threshold int
}

// Options are the settings that the clients of all apps have in common.
type Options struct {
	// Dial connects to host:port.
	Dial func(ctx context.Context, address string) (net.Conn, error)
	// MaxMessage is the largest message over gRPC, in bytes.
	MaxMessage int64
	// MaxHeader is the largest header of an HTTP response, in bytes.
	MaxHeader int
	// MaxConns is the most HTTP connections to each app, from 1 to the constant MaxConns.
	MaxConns int
	// Token goes to the app with each trigger, unless it is empty.
	Token string
}

// Check sets defaults. The error says what is wrong.
func (c *Config) Check() error {
	if c.ID == "" {
		return errors.New("its id is empty")
	}
	c.Protocol = strings.ToLower(c.Protocol)
	switch c.Protocol {
	case "":
		c.Protocol = "http"
	case "http", "https", "h2c", "grpc", "grpcs":
	default:
		return fmt.Errorf("protocol %q is none of http, https, h2c, grpc, grpcs", c.Protocol)
	}
	if c.Address != "" {
		if _, _, err := net.SplitHostPort(c.Address); err != nil {
			return err
		}
	}
	return c.Health.check()
}

// check sets defaults if the check is enabled.
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

// HasHealthCheck reports whether there is an app whose health is checked.
func (c Config) HasHealthCheck() bool { return c.Health.Enabled && c.Address != "" }

// IsGRPC reports whether the app is called over gRPC.
func (c Config) IsGRPC() bool { return c.Protocol == "grpc" || c.Protocol == "grpcs" }

func (c Config) isTLS() bool { return c.Protocol == "https" || c.Protocol == "grpcs" }

// url returns the URL of the app's root.
func (c Config) url() url.URL {
	if c.Protocol == "https" {
		return url.URL{Scheme: "https", Host: c.Address}
	}
	return url.URL{Scheme: "http", Host: c.Address}
}

// tlsConfig is for an app on the same machine. Like Dapr it does not verify the certificate.
func (c Config) tlsConfig() *tls.Config {
	t := &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}
	if c.Protocol == "grpcs" {
		t.NextProtos = []string{"h2"}
	}
	return t
}
