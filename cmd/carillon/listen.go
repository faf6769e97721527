package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"syscall"

	"carillon/internal/crossorigin"
)

// listen opens a port on the interfaces that host names, all if it is empty. Its error says which of the two flags to
// change. A port of 0 is whichever is free.
func listen(ctx context.Context, hostFlag, host, portFlag string, number int) (net.Listener, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", net.JoinHostPort(bare(host), strconv.Itoa(number)))
	if err == nil {
		return l, nil
	}
	_, unresolved := errors.AsType[*net.DNSError](err)
	if unresolved || errors.Is(err, syscall.EADDRNOTAVAIL) {
		return nil, fmt.Errorf("--%s %s: %w; choose an address of this host", hostFlag, host, err)
	}
	return nil, fmt.Errorf("--%s %d: %w; choose another port, or stop what uses it", portFlag, number, err)
}

// listenLoopback opens a port on 127.0.0.1, and on ::1 if this host has it: "localhost" may mean either. The error names
// the flag. A port of 0 becomes a free one.
func listenLoopback(ctx context.Context, portFlag string, number *int) ([]net.Listener, error) {
	const tries = 10 // of finding a port that is free on both
	free := *number == 0
	for try := 1; ; try++ {
		v4, err := listen(ctx, "", "127.0.0.1", portFlag, *number)
		if err != nil {
			return nil, err
		}
		port := v4.Addr().(*net.TCPAddr).Port
		v6, err := new(net.ListenConfig).Listen(ctx, "tcp6", net.JoinHostPort("::1", strconv.Itoa(port)))
		switch {
		case err == nil:
			*number = port
			return []net.Listener{v4, v6}, nil
		case !errors.Is(err, syscall.EADDRINUSE): // there is no IPv6
			*number = port
			return []net.Listener{v4}, nil
		case !free || try == tries:
			v4.Close()
			return nil, fmt.Errorf("--%s %d: %w; choose another port, or stop what uses it", portFlag, port, err)
		}
		v4.Close()
	}
}

// bare returns host without the brackets that an IPv6 address may come in.
func bare(host string) string {
	if inner, ok := strings.CutPrefix(host, "["); ok {
		return strings.TrimSuffix(inner, "]")
	}
	return host
}

// allowedHosts is the usage of the flag about [crossorigin.Hosts.Allowed].
const allowedHosts = "`names` and addresses by which clients may call the HTTP ports beside localhost, loopback addresses " +
	"and those it listens on, with commas between them; no others are accepted then"

// hostsOf returns by what the HTTP ports may be called that listen on these addresses, or names of addresses.
func hostsOf(allowed list, listen ...string) (crossorigin.Hosts, error) {
	var h crossorigin.Hosts
	for _, name := range allowed {
		if name = strings.TrimSpace(name); name != "" {
			h.Allowed = append(h.Allowed, name)
		}
	}
	for _, name := range listen {
		name = strings.TrimSpace(name)
		if _, err := netip.ParseAddr(bare(name)); err != nil && name != "" { // a connection tells its address
			h.Own = append(h.Own, name)
		}
	}
	if err := h.Check(); err != nil {
		return crossorigin.Hosts{}, fmt.Errorf("--allowed-hosts: %w", err)
	}
	return h, nil
}
