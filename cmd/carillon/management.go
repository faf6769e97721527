package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"net"

	"carillon/internal/management"
)

// defaultManagementPort is the port of the management API.
const defaultManagementPort = 3510

// managementConfig are the flags of the management API.
type managementConfig struct {
	fs        *flag.FlagSet
	port      int
	address   string
	tokenFile string
}

func (m *managementConfig) flags(fs *flag.FlagSet) {
	m.fs = fs
	portVar(fs, &m.port, "management-port", defaultManagementPort,
		"`port` of the management API; if the default is in use, any free port")
	fs.StringVar(&m.address, "management-listen-address", "",
		"`address` of the management API (default: loopback only); any other needs --management-token-file")
	fs.StringVar(&m.tokenFile, "management-token-file", "",
		"`file` with the tokens of the management API; reloaded when it changes")
}

// given reports whether the port was given.
func (m *managementConfig) given() (given bool) {
	m.fs.Visit(func(f *flag.Flag) { given = given || f.Name == "management-port" })
	return given
}

// tokens opens the token file; nil if there is none.
func (m *managementConfig) tokens() (*management.Tokens, error) {
	if m.tokenFile == "" {
		if m.address != "" && !onLoopback(net.JoinHostPort(unbracket(m.address), "0")) {
			return nil, usagef("--management-listen-address %s can be reached from other hosts: it needs --management-token-file", m.address)
		}
		return nil, nil
	}
	t, err := management.OpenTokens(m.tokenFile)
	if err != nil {
		return nil, fmt.Errorf("--management-token-file: %w", err)
	}
	return t, nil
}

// listen opens the port. Without an address it is open on both loopback addresses.
func (m *managementConfig) listen(ctx context.Context) (all []net.Listener, err error) {
	open := func() error {
		if m.address == "" {
			all, err = listenLoopback(ctx, "management-port", &m.port)
			return err
		}
		l, err := listen(ctx, "management-listen-address", m.address, "management-port", m.port)
		all = []net.Listener{l}
		return err
	}
	if err = open(); err != nil && !m.given() {
		m.port = 0
		err = open()
	}
	if err != nil {
		return nil, err
	}
	return all, nil
}

// warn logs what an operator should know about the open ports.
func (m *managementConfig) warn(ctx context.Context, log *slog.Logger, all []net.Listener) {
	var open []plaintextEndpoint
	for _, l := range all {
		open = append(open, endpointOf(l, "read the tokens of the management API on their way"))
		if port := l.Addr().(*net.TCPAddr).Port; port != defaultManagementPort && !m.given() {
			log.LogAttrs(ctx, slog.LevelInfo, "port 3510 is in use; the management API has another one", slog.Int("port", port))
		}
	}
	warnExposed(ctx, log, open, nil)
}
