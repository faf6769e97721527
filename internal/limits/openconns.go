package limits

import "sync"

// openConns are the open connections of a server. A gRPC server does not know connections that
// have not completed the handshake of HTTP/2, and waits for them even in a forced stop. They are
// safe for concurrent use.
type openConns struct {
	mu     sync.Mutex // guards the fields below
	open   map[*throttledConn]struct{}
	closed bool // closeAll was called: new connections are closed, too
}

// add adds a new connection.
func (s *openConns) add(c *throttledConn) {
	s.mu.Lock()
	if s.open == nil {
		s.open = map[*throttledConn]struct{}{}
	}
	s.open[c] = struct{}{}
	closed := s.closed
	s.mu.Unlock()
	if closed {
		_ = c.Close() // the server is stopped; the error changes nothing
	}
}

// remove removes a closed connection.
func (s *openConns) remove(c *throttledConn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, c)
}

// closeSilent closes the connections whose clients have sent nothing.
func (s *openConns) closeSilent() { s.closeMatching(false, (*throttledConn).silent) }

// closeAll closes every connection, busy or not, and each that is added later.
func (s *openConns) closeAll() { s.closeMatching(true, func(*throttledConn) bool { return true }) }

func (s *openConns) closeMatching(final bool, match func(*throttledConn) bool) {
	s.mu.Lock()
	s.closed = s.closed || final
	var all []*throttledConn
	for c := range s.open {
		if match(c) {
			all = append(all, c)
		}
	}
	s.mu.Unlock()
	for _, c := range all {
		_ = c.Close() // the server is stopped; the error changes nothing
	}
}
