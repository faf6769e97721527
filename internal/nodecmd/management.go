package nodecmd

import (
	"context"
	"fmt"
	"log/slog"
	"net"

	"carillon/internal/exit"
	"carillon/internal/flagvalue"
	"carillon/internal/management"
)

// defaultManagementPort is the port of the management API.
const defaultManagementPort = 3510

// ManagementFlags are the flags of the management API, which all nodes with a scheduler have.
type ManagementFlags struct {
	// Port is the port of the API. Listen sets it to the one that it opened.
	Port              int
	given             bool // the port was given
	address           string
	tokenFile         string
	certFile, keyFile string
}

// Flags adds the flags to fs. addVar is the method Var of fs, which differs between flag libraries.
func (m *ManagementFlags) Flags(fs FlagSet, addVar func(v *ManagementPort, name, usage string)) {
	addVar(&ManagementPort{flagvalue.NewPort(&m.Port, defaultManagementPort), &m.given}, "management-port",
		"`port` of the management API; if the default is in use, any free port")
	fs.StringVar(&m.address, "management-listen-address", "",
		"`address` of the management API (default: loopback only); any other needs --management-token-file")
	fs.StringVar(&m.tokenFile, "management-token-file", "",
		"`file` with the tokens of the management API; reloaded when it changes")
	fs.StringVar(&m.certFile, "management-tls-cert-file", "",
		"`file` with the certificate of the management API, in PEM, which then takes TLS only; reloaded when it changes")
	fs.StringVar(&m.keyFile, "management-tls-key-file", "", "`file` with its private key, in PEM")
}

// A ManagementPort is the value of a flag that notes that it was given.
type ManagementPort struct {
	*flagvalue.Port
	given *bool
}

// Set parses value.
func (p *ManagementPort) Set(value string) error {
	*p.given = true
	return p.Port.Set(value)
}

// Address returns the address to listen on; empty is loopback.
func (m *ManagementFlags) Address() string { return m.address }

// Tokens opens the token file; nil if there is none.
func (m *ManagementFlags) Tokens() (*management.Tokens, error) {
	if m.tokenFile == "" {
		if m.address != "" && !OnLoopback(net.JoinHostPort(Unbracket(m.address), "0")) {
			return nil, exit.Usagef("--management-listen-address %s can be reached from other hosts: it needs --management-token-file", m.address)
		}
		return nil, nil
	}
	t, err := management.OpenTokens(m.tokenFile)
	if err != nil {
		return nil, fmt.Errorf("--management-token-file: %w", err)
	}
	return t, nil
}

// Certificate opens the files of the certificate; nil if there is none.
func (m *ManagementFlags) Certificate() (*management.Certificate, error) {
	switch {
	case m.certFile == "" && m.keyFile == "":
		return nil, nil
	case m.certFile == "" || m.keyFile == "":
		return nil, exit.Usagef("--management-tls-cert-file and --management-tls-key-file belong together: give both")
	}
	c, err := management.OpenCertificate(m.certFile, m.keyFile)
	if err != nil {
		return nil, fmt.Errorf("--management-tls-cert-file and --management-tls-key-file: %w", err)
	}
	return c, nil
}

// URL returns the address of the API for clients on this host.
func (m *ManagementFlags) URL() string {
	if m.certFile != "" {
		return fmt.Sprintf("https://localhost:%d", m.Port)
	}
	return fmt.Sprintf("http://localhost:%d", m.Port)
}

// Listen opens the port. Without an address it is open on both loopback addresses. If the default
// port is in use, and none was given, it opens another one.
func (m *ManagementFlags) Listen(ctx context.Context) ([]net.Listener, error) {
	all, err := m.open(ctx)
	if err != nil && !m.given {
		m.Port = 0
		all, err = m.open(ctx)
	}
	return all, err
}

func (m *ManagementFlags) open(ctx context.Context) ([]net.Listener, error) {
	if m.address == "" {
		return ListenLoopback(ctx, "management-port", &m.Port)
	}
	l, err := Listen(ctx, "management-listen-address", m.address, "management-port", m.Port)
	if err != nil {
		return nil, err
	}
	m.Port = l.Addr().(*net.TCPAddr).Port
	return []net.Listener{l}, nil
}

// Warn logs what an operator should know about the open ports.
func (m *ManagementFlags) Warn(ctx context.Context, log *slog.Logger, all []net.Listener) {
	if m.Port != defaultManagementPort && !m.given {
		log.LogAttrs(ctx, slog.LevelInfo, "port 3510 is in use; the management API has another one", slog.Int("port", m.Port))
	}
	if m.certFile != "" {
		return
	}
	var open []PlaintextEndpoint
	for _, l := range all {
		open = append(open, EndpointOf(l, "read the tokens of the management API on their way"))
	}
	WarnExposed(ctx, log, open, nil)
}
