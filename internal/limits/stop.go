package limits

import (
	"sync"
	"time"
)

// conns are the open connections of a server. A gRPC server does not know those that have not become connections of HTTP/2
// yet, and waits for them even when it is stopped by force. They are safe for concurrent use.
type conns struct {
	mu     sync.Mutex // guards the fields below
	open   map[*slowConn]struct{}
	closed bool // the open connections were closed, and so is each new one
}

// add notes a new connection.
func (s *conns) add(c *slowConn) {
	s.mu.Lock()
	if s.open == nil {
		s.open = map[*slowConn]struct{}{}
	}
	s.open[c] = struct{}{}
	closed := s.closed
	s.mu.Unlock()
	if closed {
		_ = c.Close() // whatever it says, it is gone
	}
}

// remove forgets a connection that is closed.
func (s *conns) remove(c *slowConn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, c)
}

// closeSilent closes the connections that have never said anything.
func (s *conns) closeSilent() { s.closeThose(false, (*slowConn).silent) }

// closeAll closes every connection, however busy, and those that are still to come.
func (s *conns) closeAll() { s.closeThose(true, func(*slowConn) bool { return true }) }

func (s *conns) closeThose(later bool, which func(*slowConn) bool) {
	s.mu.Lock()
	s.closed = s.closed || later
	var all []*slowConn
	for c := range s.open {
		if which(c) {
			all = append(all, c)
		}
	}
	s.mu.Unlock()
	for _, c := range all {
		_ = c.Close() // whatever it says, it is gone
	}
}

// StopWithin stops the server: it accepts nothing more, and calls under way have so long to end. Then all connections are
// closed, in whatever state they are. Those that have not said anything are closed at once. It returns when everything has
// ended but handlers, for which the server waits only if it was told so.
func (s *Server) StopWithin(grace time.Duration) {
	s.conns.closeSilent()
	force := time.AfterFunc(grace, s.conns.closeAll)
	defer force.Stop()
	s.GracefulStop()
}
