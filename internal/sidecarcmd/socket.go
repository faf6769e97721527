package sidecarcmd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"syscall"
)

// listenSocket opens a Unix socket, which is removed when the listener is closed. It replaces a socket that
// a killed sidecar has left.
func listenSocket(ctx context.Context, path string) (net.Listener, error) {
	var d net.Dialer
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	case info.Mode()&fs.ModeSocket == 0:
		return nil, fmt.Errorf("%s exists and is not a socket: remove it, or choose another directory", path)
	default:
		conn, err := d.DialContext(ctx, "unix", path)
		switch {
		case err == nil:
			conn.Close()
			return nil, fmt.Errorf("another process listens on %s: stop it, or choose another directory", path)
		case !errors.Is(err, syscall.ECONNREFUSED):
			return nil, fmt.Errorf("%w; remove it if no process uses it, or choose another directory", err)
		}
		if err := os.Remove(path); err != nil {
			return nil, err
		}
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "unix", path)
	switch {
	case errors.Is(err, syscall.EINVAL):
		return nil, fmt.Errorf("%w; the path may be too long: choose a directory with a shorter path", err)
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%w; create the directory, or choose another", err)
	case err != nil:
		return nil, fmt.Errorf("%w; choose another directory", err)
	}
	return l, nil
}
