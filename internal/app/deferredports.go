package app

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"strings"
	"sync"

	"carillon/internal/identity"
)

// errPortsClosed is the health of a node that waits for its first certificate.
var errPortsClosed = errors.New("ports are closed until the node has a certificate")

// deferredPorts are the ports of a node that stay closed until the node has a certificate. Until then
// the operating system refuses connections, as for a process that has not started, so clients and
// supervisors wait and retry.
type deferredPorts struct {
	identity  *identity.Source // nil: there is no certificate to wait for
	log       *slog.Logger
	listeners []*deferredListener
	onOpen    func(ctx context.Context) // called when all are open, before check succeeds; may be nil

	mu   sync.Mutex // guards the field below
	open bool
}

// deferPorts closes the ports of the listeners and replaces the listeners by deferred ones. It does
// nothing if source is nil or has a certificate. The caller opens each port first, so that a port in
// use is reported with its flag. Listeners that are not on a port of this host stay as they are.
func deferPorts(source *identity.Source, log *slog.Logger, listeners ...*net.Listener) (*deferredPorts, error) {
	p := &deferredPorts{identity: source, log: log}
	if source == nil || source.Check() == nil {
		return p, nil
	}
	var err error
	for _, l := range listeners {
		if *l == nil || (*l).Addr().Network() != "tcp" && (*l).Addr().Network() != "unix" {
			continue
		}
		deferred := &deferredListener{addr: (*l).Addr()}
		err = errors.Join(err, (*l).Close())
		*l = deferred
		p.listeners = append(p.listeners, deferred)
	}
	return p, err
}

// wait waits for a certificate and opens the ports. If ctx ends first, it returns the error of ctx.
func (p *deferredPorts) wait(ctx context.Context) error {
	if p.identity != nil {
		if err := p.openAll(ctx); err != nil {
			return err
		}
	}
	if p.onOpen != nil {
		p.onOpen(ctx)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open = true
	return nil
}

func (p *deferredPorts) openAll(ctx context.Context) error {
	if len(p.listeners) > 0 {
		var all []string
		for _, l := range p.listeners {
			all = append(all, l.addr.String())
		}
		p.log.LogAttrs(ctx, slog.LevelInfo, "ports are closed until the node has a certificate", slog.String("ports", strings.Join(all, ",")))
	}
	if err := p.identity.WaitCertificate(ctx); err != nil {
		return err
	}
	for _, l := range p.listeners {
		if err := l.open(ctx); err != nil {
			return err
		}
	}
	return nil
}

// check is a [check]: it fails until the ports are open.
func (p *deferredPorts) check() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.open:
		return nil
	case p.identity == nil:
		return errNotRunning
	default:
		return errPortsClosed
	}
}

// afterCertificate returns a component that waits until source has a certificate, and then runs next. If
// source is nil, it does not wait.
func afterCertificate(source *identity.Source, next component) component {
	return func(ctx context.Context) error {
		if source != nil && source.WaitCertificate(ctx) != nil {
			return nil //nolint:nilerr // the component was stopped
		}
		return next(ctx)
	}
}
