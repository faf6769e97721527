//go:build unix

package sidecar

import (
	"crypto/tls"
	"errors"
	"net"
	"syscall"
)

// quiet returns what reports whether nothing has come on an idle connection: neither its end nor a byte, which is lost
// then. It says so of every connection that has no socket.
func quiet(conn net.Conn) func() bool {
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
	var found error
	read := func(fd uintptr) bool {
		_, found = syscall.Read(int(fd), b[:])
		return true // it is not to be waited for
	}
	return func() bool { return raw.Read(read) == nil && errors.Is(found, syscall.EAGAIN) }
}
