//go:build unix

package appclient

import (
	"crypto/tls"
	"errors"
	"net"
	"syscall"
)

// idleCheck returns a function that reports whether an idle connection has neither been closed nor
// received a byte, which would be lost. A connection without a socket always counts as idle.
func idleCheck(conn net.Conn) func() bool {
	if secure, ok := conn.(*tls.Conn); ok {
		conn = secure.NetConn()
	}
	socket, ok := conn.(syscall.Conn)
	if !ok {
		return func() bool { return true }
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return func() bool { return false }
	}
	var b [1]byte
	var readErr error
	read := func(fd uintptr) bool {
		_, readErr = syscall.Read(int(fd), b[:])
		return true // do not wait until the socket is readable
	}
	return func() bool { return raw.Read(read) == nil && errors.Is(readErr, syscall.EAGAIN) }
}
