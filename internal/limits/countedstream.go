package limits

import (
	"slices"
	"sync"

	"google.golang.org/grpc"
)

// A countedStream counts the messages that it receives against a [MessageMemory]. Its handler may
// still be receiving one message when it returns.
type countedStream struct {
	grpc.ServerStream
	empty    message // the initial value of each message
	answered bool    // the handler answers each message with one

	mu    sync.Mutex // guards the fields below
	last  message    // if not answered: the last; belongs to RecvMsg while busy is set
	held  []*message // if answered: those not yet answered, the oldest first
	busy  bool       // a message is being received
	ended bool
}

// countStream is an interceptor that counts the messages of a stream.
func (m *MessageMemory) countStream(srv any, st grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	counted := &countedStream{
		ServerStream: st, empty: *newMessage(st.Context(), m, info.FullMethod, true),
		answered: slices.Contains(m.Answered, info.FullMethod),
	}
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
	switch {
	case err != nil || s.ended:
		m.release()
	case s.answered:
		s.held = append(s.held, m)
	}
	return err
}

// next returns the message to receive next. Only one is received at a time.
func (s *countedStream) next() *message {
	m := &s.last
	if s.answered {
		m = new(message)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	m.release()
	*m, s.busy = s.empty, true
	return m
}

// SendMsg implements [grpc.ServerStream].
func (s *countedStream) SendMsg(v any) error {
	if s.answered {
		defer s.releaseFirst()
	}
	return s.ServerStream.SendMsg(v)
}

func (s *countedStream) releaseFirst() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.held) > 0 {
		s.held[0].release()
		s.held = slices.Delete(s.held, 0, 1)
	}
}

// end releases all messages. RecvMsg releases one that is still being received.
func (s *countedStream) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.held {
		m.release()
	}
	if !s.busy {
		s.last.release()
	}
	s.held, s.ended = nil, true
}
