package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"syscall"
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

// bare returns host without the brackets that an IPv6 address may come in.
func bare(host string) string {
	if inner, ok := strings.CutPrefix(host, "["); ok {
		return strings.TrimSuffix(inner, "]")
	}
	return host
}
