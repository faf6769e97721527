package bound

import (
	"slices"
	"sync"

	"google.golang.org/grpc"
)

// A stream counts the messages that it receives. Its handler may receive a last one after it has returned.
type stream struct {
	grpc.ServerStream
	messages *Messages
	method   string
	answered bool // each message is, by one

	mu    sync.Mutex // guards the fields below
	held  []*message // those that count, the oldest first
	ended bool
}

// countStream counts the messages of a stream.
func (m *Messages) countStream(srv any, st grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	counted := &stream{
		ServerStream: st, messages: m, method: info.FullMethod, answered: slices.Contains(m.Answered, info.FullMethod),
	}
	defer counted.end()
	return next(srv, counted)
}

// RecvMsg implements [grpc.ServerStream].
func (s *stream) RecvMsg(v any) error {
	if !s.answered {
		s.release(1)
	}
	m := s.messages.newMessage(s.Context(), s.method, true)
	if err := m.read(v, s.ServerStream.RecvMsg); err != nil {
		m.release()
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		m.release()
	} else {
		s.held = append(s.held, m)
	}
	return nil
}

// SendMsg implements [grpc.ServerStream].
func (s *stream) SendMsg(v any) error {
	if s.answered {
		defer s.release(1)
	}
	return s.ServerStream.SendMsg(v)
}

// release lets the n oldest messages no longer count.
func (s *stream) release(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n = min(n, len(s.held))
	for _, m := range s.held[:n] {
		m.release()
	}
	s.held = slices.Delete(s.held, 0, n)
}

// end releases all messages, and each that comes yet.
func (s *stream) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.held {
		m.release()
	}
	s.held, s.ended = nil, true
}
