package sidecarcmd

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"slices"
	"strings"

	"carillon/internal/app"
	"carillon/internal/flagvalue"
	"carillon/internal/nodecmd"
	"carillon/internal/sidecar"
)

// listen opens the ports or sockets of the node. An error names the flag of the port. The flags must be valid.
func (c *sidecarOptions) listen(ctx context.Context) (l app.SidecarListeners, err error) {
	defer func() {
		if err != nil {
			l.Close()
		}
	}()
	if l.HTTP, err = c.listenAPI(ctx, "http", "dapr-http-port", c.httpPort); err != nil {
		return l, err
	}
	if l.GRPC, err = c.listenAPI(ctx, "grpc", "dapr-grpc-port", c.grpcPort); err != nil {
		return l, err
	}
	if number, bad := flagvalue.ParsePort(c.publicPort); bad == nil {
		public, err := nodecmd.Listen(ctx, "dapr-public-listen-address", c.publicAddress, "dapr-public-port", number)
		if err != nil {
			return l, err
		}
		l.Public = []net.Listener{public}
	}
	internalPort, _ := flagvalue.ParsePort(c.internalPort) // 0 if it is not set
	internal, err := nodecmd.Listen(ctx, "dapr-internal-grpc-listen-address", c.internalAddress, "dapr-internal-grpc-port", internalPort)
	if err != nil {
		return l, err
	}
	l.Internal = []net.Listener{internal}
	if c.metrics {
		number, _ := flagvalue.ParsePort(c.metricsPort)
		l.Metrics, err = nodecmd.Listen(ctx, "metrics-listen-address", c.metricsAddress, "metrics-port", number)
	}
	return l, err
}

// listenAPI opens the listeners of one protocol of the API: a port on each address, or a socket. If it
// returns an error, none is open.
func (c *sidecarOptions) listenAPI(ctx context.Context, protocol, portFlag, port string) ([]net.Listener, error) {
	if c.socketDir != "" {
		l, err := listenSocket(ctx, filepath.Join(c.socketDir, "dapr-"+c.appID+"-"+protocol+".socket"))
		if err != nil {
			return nil, fmt.Errorf("--unix-domain-socket %s: %w", c.socketDir, err)
		}
		return []net.Listener{l}, nil
	}
	number, _ := flagvalue.ParsePort(port)
	addresses := c.listenAddresses.Fields
	if len(addresses) == 0 {
		addresses = []string{""}
	}
	var all []net.Listener
	for _, address := range addresses {
		l, err := nodecmd.Listen(ctx, "dapr-listen-addresses", strings.TrimSpace(address), portFlag, number)
		if err != nil {
			return nil, errors.Join(err, app.SidecarListeners{Listeners: sidecar.Listeners{HTTP: all}}.Close())
		}
		all = append(all, l)
	}
	return all, nil
}

// listening returns a function that logs the addresses of the sidecar.
func listening(cfg sidecar.Config, l app.SidecarListeners, log *slog.Logger) func(context.Context) {
	attrs := []slog.Attr{
		slog.String("namespace", cfg.Namespace), slog.String("schedulers", strings.Join(cfg.Schedulers, ",")),
		slog.String("http", addresses(l.HTTP)), slog.String("grpc", addresses(l.GRPC)),
	}
	if l.Public != nil {
		attrs = append(attrs, slog.String("public", addresses(l.Public)))
	}
	if l.Metrics != nil {
		attrs = append(attrs, slog.String("metrics", l.Metrics.Addr().String()))
	}
	return func(ctx context.Context) { log.LogAttrs(ctx, slog.LevelInfo, "listening", attrs...) }
}

// warnSidecar warns about exposed ports and a configuration that cannot work, before the sidecar runs.
func warnSidecar(ctx context.Context, cfg sidecar.Config, l app.SidecarListeners, log *slog.Logger) {
	if cfg.Namespace == "" && len(cfg.Schedulers) > 0 {
		log.LogAttrs(ctx, slog.LevelWarn, "NAMESPACE is empty: the scheduler will refuse every call; unset it, or give it a value")
	}
	grants := "call the jobs API without a token; set DAPR_API_TOKEN, or --dapr-listen-addresses to 127.0.0.1"
	if cfg.APIToken != "" {
		grants = "call the jobs API with the token, which is sent in plaintext"
	}
	endpointsOf := func(listeners []net.Listener, grants string) (all []nodecmd.PlaintextEndpoint) {
		for _, l := range listeners {
			all = append(all, nodecmd.EndpointOf(l, grants))
		}
		return all
	}
	nodecmd.WarnExposed(ctx, log, endpointsOf(slices.Concat(l.HTTP, l.GRPC), grants),
		append(endpointsOf(l.Public, "read health and metadata"), nodecmd.EndpointOf(l.Metrics, "read metrics")))
}

func addresses(listeners []net.Listener) string {
	var all []string
	for _, l := range listeners {
		all = append(all, l.Addr().String())
	}
	return strings.Join(all, ",")
}
