package sidecarcmd

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"carillon/internal/app"
	"carillon/internal/flagvalue"
	"carillon/internal/nodecmd"
	"carillon/internal/sidecar"
	"carillon/internal/terminal"
)

// node checks the flags and returns the configuration of the node. It refuses what daprd refuses, in daprd's
// words (sidecar specification §5.1).
func (c *sidecarOptions) node(std *terminal.Streams) (cfg app.SidecarConfig, err error) {
	if err := c.check(); err != nil {
		return cfg, err
	}
	cfg.Sidecar = nodecmd.FromDaprEnvironment(std)
	side := &cfg.Sidecar
	own := append(slices.Clone(c.listenAddresses.Fields), c.publicAddress, c.metricsAddress)
	if side.Hosts, err = nodecmd.HostsOf(c.allowedHosts, own...); err != nil {
		return cfg, err
	}
	a, err := c.app()
	if err != nil {
		return cfg, err
	}
	side.Apps = []sidecar.App{a}
	if side.Schedulers, err = c.schedulerAddresses(std); err != nil {
		return cfg, err
	}
	if side.MaxBody, err = flagvalue.Bytes(c.maxBody); err != nil {
		return cfg, fmt.Errorf("--max-body-size %s: %w", c.maxBody, err)
	}
	header, err := flagvalue.Bytes(c.maxHeader)
	if err != nil {
		return cfg, fmt.Errorf("--read-buffer-size %s: %w", c.maxHeader, err)
	}
	side.MaxHeader = int(header)
	side.Streams = int(c.streams)
	side.LogCalls, side.Strict = c.logCalls, c.strict
	side.BlockShutdown = c.block
	side.Version = nodecmd.DaprVersion
	return cfg, nil
}

// check refuses invalid values.
func (c *sidecarOptions) check() error {
	const seconds = 1000 // milliseconds
	switch {
	case c.appID == "":
		return errors.New("parameter app-id cannot be empty")
	case strings.Contains(c.appID, "."):
		return errors.New("parameter app-id cannot contain dots")
	case c.streams == 0:
		return errors.New("--scheduler-job-streams 0: give at least 1, or the sidecar receives no triggers")
	case c.actorsDisseminateTimeout <= 0:
		return fmt.Errorf("--actors-disseminate-timeout %v: it must be greater than 0", c.actorsDisseminateTimeout)
	case positive(c.appHealthTimeout, 500) > positive(c.appHealthInterval, 5)*seconds:
		return fmt.Errorf("--app-health-probe-timeout %d (milliseconds) must not be larger than --app-health-probe-interval %d (seconds)",
			positive(c.appHealthTimeout, 500), positive(c.appHealthInterval, 5))
	}
	if _, err := url.ParseRequestURI("/" + strings.TrimPrefix(c.appHealthPath, "/")); err != nil {
		return fmt.Errorf("--app-health-check-path: %w", err)
	}
	for _, endpoint := range c.initEndpoints.Fields {
		if !slices.Contains([]string{"", "config", "subscribe"}, strings.TrimSpace(endpoint)) {
			return fmt.Errorf("--disable-init-endpoints: %q is neither config nor subscribe", endpoint)
		}
	}
	if err := c.checkPorts(); err != nil {
		return err
	}
	switch {
	case c.mode != "standalone" && c.mode != "kubernetes":
		return fmt.Errorf("--mode %s is unknown: use standalone or kubernetes", c.mode)
	default:
		return nil
	}
}

// checkPorts checks that the ports are numbers, and that the app's port differs from those of the APIs.
func (c *sidecarOptions) checkPorts() error {
	for _, p := range []struct {
		flag, value string
		allowed     []string // values other than a number
	}{
		{"app-port", c.appPort, []string{""}},
		{"dapr-http-port", c.httpPort, nil},
		{"dapr-grpc-port", c.grpcPort, nil},
		{"dapr-public-port", c.publicPort, []string{""}},
		{"metrics-port", c.metricsPort, nil},
		{"dapr-internal-grpc-port", c.internalPort, []string{""}},
		{"profile-port", c.profilePort, []string{"", "-1"}},
	} {
		if _, err := flagvalue.ParsePort(p.value); err != nil && !slices.Contains(p.allowed, p.value) {
			return fmt.Errorf("--%s %q: %w", p.flag, p.value, err)
		}
	}
	own, _ := flagvalue.ParsePort(c.appPort)
	http, _ := flagvalue.ParsePort(c.httpPort)
	grpc, _ := flagvalue.ParsePort(c.grpcPort)
	switch {
	case own == 0 || c.socketDir != "":
		return nil
	case own == http:
		return fmt.Errorf("--app-port %d is also --dapr-http-port: choose another port for the app", own)
	case own == grpc:
		return fmt.Errorf("--app-port %d is also --dapr-grpc-port: choose another port for the app", own)
	default:
		return nil
	}
}

// app returns the app of the flags.
func (c *sidecarOptions) app() (sidecar.App, error) {
	protocol := strings.ToLower(cmp.Or(c.appProtocol, "http"))
	if !slices.Contains([]string{"http", "https", "h2c", "grpc", "grpcs"}, protocol) {
		return sidecar.App{}, fmt.Errorf("--app-protocol %s is unknown: use http, https, h2c, grpc or grpcs", c.appProtocol)
	}
	if c.appSSL && (protocol == "http" || protocol == "grpc") {
		protocol += "s"
	}
	a := sidecar.App{
		ID: c.appID, Protocol: protocol, MaxConcurrency: c.appConcurrency,
		Health: sidecar.HealthCheck{
			Enabled: c.appHealth, Path: c.appHealthPath,
			Interval:  time.Duration(c.appHealthInterval) * time.Second,
			Timeout:   time.Duration(c.appHealthTimeout) * time.Millisecond,
			Threshold: c.appHealthThreshold,
		},
	}
	if number, err := flagvalue.ParsePort(c.appPort); err == nil && number > 0 {
		a.Address = net.JoinHostPort(nodecmd.Unbracket(cmp.Or(c.appAddress, "127.0.0.1")), strconv.Itoa(number))
	}
	return a, nil
}

// schedulerAddresses returns the addresses in the flag or, if it is not given, in the environment (sidecar
// specification §4.1). It skips addresses that are blank or only quotes.
func (c *sidecarOptions) schedulerAddresses(std *terminal.Streams) ([]string, error) {
	source, fields := "--scheduler-host-address", c.schedulers.Fields
	if !c.schedulers.Given {
		source = "DAPR_SCHEDULER_HOST_ADDRESS_DNS_A"
		text, _ := std.Env(source)
		fields = strings.Split(text, ",")
	}
	var addresses []string
	for _, field := range fields {
		address := strings.TrimSpace(strings.Trim(field, `"'`))
		if address == "" {
			continue
		}
		if host, port, err := net.SplitHostPort(address); err != nil || host == "" || port == "" {
			return nil, fmt.Errorf("%s: %q is not of the form host:port, such as localhost:50006", source, address)
		}
		addresses = append(addresses, address)
	}
	return addresses, nil
}

// positive returns n, or otherwise if n is not positive.
func positive(n, otherwise int) int {
	if n <= 0 {
		return otherwise
	}
	return n
}
