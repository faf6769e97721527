package limits

import (
	"sync"

	"google.golang.org/grpc"
)

// A countedStream counts the message that it received last against a [MessageMemory]. Its handler
// may still be receiving one message when it returns.
type countedStream struct {
	grpc.ServerStream
	empty message // the initial value of each message

	mu    sync.Mutex // guards the fields below
	last  message    // belongs to RecvMsg while busy is set
	busy  bool       // a message is being received
	ended bool
}

// countStream is an interceptor that counts the messages of a stream.
func (m *MessageMemory) countStream(srv any, st grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	counted := &countedStream{ServerStream: st, empty: *newMessage(st.Context(), m, info.FullMethod, true)}
	defer counted.end()
	return next(srv, counted)
}

// RecvMsg implements [grpc.ServerStream].
func (s *countedStream) RecvMsg(v any) error {
	m := s.next()
	err := m.read(v, s.ServerStream.RecvMsg)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.busy = false
	if err != nil || s.ended {
		m.release()
	}
	return err
}

// next returns the message to receive next. Only one is received at a time.
func (s *countedStream) next() *message {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last.release()
	s.last, s.busy = s.empty, true
	return &s.last
}

// end releases the message. RecvMsg releases one that is still being received.
func (s *countedStream) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.busy {
		s.last.release()
	}
	s.ended = true
}
