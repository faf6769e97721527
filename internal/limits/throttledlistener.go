package limits

import "net"

// A throttledListener accepts connections that can be throttled, and adds them to conns.
type throttledListener struct {
	net.Listener
	conns *openConns
}

// Accept waits for the next connection.
func (l throttledListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	throttled := &throttledConn{Conn: c, onClose: l.conns.remove, closed: make(chan struct{})}
	l.conns.add(throttled)
	return throttled, nil
}
