package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"carillon/internal/app"
	"carillon/internal/sidecar"
)

// listen opens the ports or sockets of the node, or says which flag names what is not to be had. The flags have been
// checked.
func (c *sidecarConfig) listen(ctx context.Context) (l app.SidecarListeners, err error) {
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
	if number, bad := parsePort(c.publicPort); bad == nil {
		public, err := listen(ctx, "dapr-public-listen-address", c.publicAddress, "dapr-public-port", number)
		if err != nil {
			return l, err
		}
		l.Public = []net.Listener{public}
	}
	internalPort, _ := parsePort(c.internalPort) // 0 if it is not set
	internal, err := listen(ctx, "dapr-internal-grpc-listen-address", c.internalAddress, "dapr-internal-grpc-port", internalPort)
	if err != nil {
		return l, err
	}
	l.Internal = []net.Listener{internal}
	if c.metrics {
		number, _ := parsePort(c.metricsPort)
		l.Metrics, err = listen(ctx, "metrics-listen-address", c.metricsAddress, "metrics-port", number)
	}
	return l, err
}

// listenAPI opens what one protocol of the API is served on: a port on each address, or a socket. If it returns an
// error, none is open.
func (c *sidecarConfig) listenAPI(ctx context.Context, protocol, portFlag, port string) ([]net.Listener, error) {
	if c.socketDir != "" {
		l, err := listenSocket(ctx, filepath.Join(c.socketDir, "dapr-"+c.appID+"-"+protocol+".socket"))
		if err != nil {
			return nil, fmt.Errorf("--unix-domain-socket %s: %w", c.socketDir, err)
		}
		return []net.Listener{l}, nil
	}
	number, _ := parsePort(port)
	addresses := c.listenAddresses.fields
	if len(addresses) == 0 {
		addresses = []string{""}
	}
	var all []net.Listener
	for _, address := range addresses {
		l, err := listen(ctx, "dapr-listen-addresses", strings.TrimSpace(address), portFlag, number)
		if err != nil {
			return nil, errors.Join(err, app.SidecarListeners{Listeners: sidecar.Listeners{HTTP: all}}.Close())
		}
		all = append(all, l)
	}
	return all, nil
}

// listenSocket opens a unix socket, which is removed when the listener is closed. One that a sidecar left there which was
// killed is replaced.
func listenSocket(ctx context.Context, path string) (net.Listener, error) {
	var d net.Dialer
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	case info.Mode()&fs.ModeSocket == 0:
		return nil, fmt.Errorf("%s is there, and is not a socket: remove it, or choose another folder", path)
	default:
		conn, err := d.DialContext(ctx, "unix", path)
		switch {
		case err == nil:
			conn.Close()
			return nil, fmt.Errorf("somebody listens on %s: stop it, or choose another folder", path)
		case !errors.Is(err, syscall.ECONNREFUSED):
			return nil, fmt.Errorf("%w; remove it if nobody uses it, or choose another folder", err)
		}
		if err := os.Remove(path); err != nil {
			return nil, err
		}
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "unix", path)
	switch {
	case errors.Is(err, syscall.EINVAL):
		return nil, fmt.Errorf("%w; the path is perhaps too long: choose a folder with a shorter one", err)
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%w; make the folder, or choose another", err)
	case err != nil:
		return nil, fmt.Errorf("%w; choose another folder", err)
	}
	return l, nil
}

// listening returns what logs where everything is.
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

// warnSidecar warns of what the configuration leaves open or will not do, before the sidecar runs.
func warnSidecar(ctx context.Context, cfg sidecar.Config, l app.SidecarListeners, log *slog.Logger) {
	if cfg.Namespace == "" && len(cfg.Schedulers) > 0 {
		log.LogAttrs(ctx, slog.LevelWarn, "NAMESPACE is set and empty: the scheduler will refuse every call; unset it, or give it a value")
	}
	leads := "the jobs API, for everybody: set DAPR_API_TOKEN, or --dapr-listen-addresses to 127.0.0.1"
	if cfg.APIToken != "" {
		leads = "the jobs API, for whoever has the token, which can be overheard"
	}
	ways := func(listeners []net.Listener, leads string) (all []way) {
		for _, l := range listeners {
			all = append(all, wayTo(l, leads))
		}
		return all
	}
	warnOfWays(ctx, log, ways(slices.Concat(l.HTTP, l.GRPC), leads),
		append(ways(l.Public, "health and metadata"), wayTo(l.Metrics, "metrics")))
}

func addresses(listeners []net.Listener) string {
	var all []string
	for _, l := range listeners {
		all = append(all, l.Addr().String())
	}
	return strings.Join(all, ",")
}
