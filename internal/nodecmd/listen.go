package nodecmd

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"
)

// Listen opens a port on the interface of host, or on all if host is empty. Its error names the flag to
// change. A port of 0 means a free one.
func Listen(ctx context.Context, hostFlag, host, portFlag string, number int) (net.Listener, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", net.JoinHostPort(Unbracket(host), strconv.Itoa(number)))
	if err == nil {
		return l, nil
	}
	_, unresolved := errors.AsType[*net.DNSError](err)
	if unresolved || errors.Is(err, syscall.EADDRNOTAVAIL) {
		return nil, fmt.Errorf("--%s %s: %w; choose an address of this host", hostFlag, host, err)
	}
	return nil, fmt.Errorf("--%s %d: %w; choose another port, or stop the process that uses it", portFlag, number, err)
}

// ListenLoopback opens a port on 127.0.0.1, and on ::1 if this host has it: "localhost" may mean either. Its
// error names the flag. A port of 0 becomes a free one.
func ListenLoopback(ctx context.Context, portFlag string, number *int) ([]net.Listener, error) {
	const tries = 10 // to find a port that is free on both
	free := *number == 0
	for try := 1; ; try++ {
		v4, err := Listen(ctx, "", "127.0.0.1", portFlag, *number)
		if err != nil {
			return nil, err
		}
		port := v4.Addr().(*net.TCPAddr).Port
		v6, err := new(net.ListenConfig).Listen(ctx, "tcp6", net.JoinHostPort("::1", strconv.Itoa(port)))
		switch {
		case err == nil:
			*number = port
			return []net.Listener{v4, v6}, nil
		case !errors.Is(err, syscall.EADDRINUSE): // the host has no IPv6
			*number = port
			return []net.Listener{v4}, nil
		case !free || try == tries:
			v4.Close()
			return nil, fmt.Errorf("--%s %d: %w; choose another port, or stop the process that uses it", portFlag, port, err)
		}
		v4.Close()
	}
}
