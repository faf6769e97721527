package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"

	"carillon/internal/identity"
)

// The latePorts of a node are ports that are closed until the node has a certificate: connections to them are refused, as where nobody
// listens, so that clients and supervisors wait as they do for a process that has not started.
type latePorts struct {
	who    *identity.Source // nil: there is nothing to wait for
	log    *slog.Logger
	ports  []*latePort
	opened func(ctx context.Context) // is called when all ports are open, before the check finds them so; nil: nobody is told

	mu   sync.Mutex // guards the field below
	open bool
}

// closeUntil closes the ports of these listeners, which it replaces, unless who is nil or has a certificate already. Each
// had been opened, so that a port which somebody else has was named by its flag. Listeners that are no ports of this host,
// as those in memory, stay as they are.
func closeUntil(who *identity.Source, log *slog.Logger, listeners ...*net.Listener) (*latePorts, error) {
	p := &latePorts{who: who, log: log}
	if who == nil || who.Check() == nil {
		return p, nil
	}
	var err error
	for _, l := range listeners {
		if *l == nil || (*l).Addr().Network() != "tcp" && (*l).Addr().Network() != "unix" {
			continue
		}
		late := &latePort{addr: (*l).Addr()}
		err = errors.Join(err, (*l).Close())
		*l = late
		p.ports = append(p.ports, late)
	}
	return p, err
}

// await waits until there is a certificate, and opens the ports. It returns the error of ctx if that ends before.
func (p *latePorts) await(ctx context.Context) error {
	if p.who != nil {
		if err := p.openAll(ctx); err != nil {
			return err
		}
	}
	if p.opened != nil {
		p.opened(ctx)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open = true
	return nil
}

// openAll waits until there is a certificate, and opens the ports.
func (p *latePorts) openAll(ctx context.Context) error {
	if len(p.ports) > 0 {
		var all []string
		for _, late := range p.ports {
			all = append(all, late.addr.String())
		}
		p.log.LogAttrs(ctx, slog.LevelInfo, "ports are closed until there is a certificate", slog.String("ports", strings.Join(all, ",")))
	}
	if err := p.who.Held(ctx); err != nil {
		return err
	}
	for _, late := range p.ports {
		if err := late.open(ctx); err != nil {
			return err
		}
	}
	return nil
}

// errClosedPorts is what the check finds before the ports are open.
var errClosedPorts = errors.New("ports are closed until there is a certificate")

// check is a [check].
func (p *latePorts) check() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.open:
		return nil
	case p.who == nil:
		return errNotOpen
	default:
		return errClosedPorts
	}
}

// whenHeld returns run as a stage that does nothing before who has a certificate; nil needs none.
func whenHeld(who *identity.Source, run stage) stage {
	return func(ctx context.Context) error {
		if who != nil && who.Held(ctx) != nil {
			return nil //nolint:nilerr // it was stopped
		}
		return run(ctx)
	}
}

// A latePort is a listener whose port is closed until open is called.
type latePort struct {
	addr net.Addr

	mu     sync.Mutex   // guards the fields below
	opened net.Listener // nil until then
	closed bool
}

// open opens the port, unless l was closed before.
func (l *latePort) open(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	var err error
	l.opened, err = new(net.ListenConfig).Listen(ctx, l.addr.Network(), l.addr.String())
	if err != nil {
		return fmt.Errorf("open a port, which was closed until there was a certificate: %w; stop what uses it, or choose another port", err)
	}
	return nil
}

// Accept implements [net.Listener]. It is to be called when the port is open.
func (l *latePort) Accept() (net.Conn, error) {
	l.mu.Lock()
	opened := l.opened
	l.mu.Unlock()
	if opened == nil {
		return nil, &net.OpError{Op: "accept", Net: l.addr.Network(), Addr: l.addr, Err: net.ErrClosed}
	}
	return opened.Accept()
}

// Close implements [net.Listener].
func (l *latePort) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	if l.opened == nil {
		return nil
	}
	return l.opened.Close()
}

// Addr implements [net.Listener].
func (l *latePort) Addr() net.Addr { return l.addr }
