package limits

import (
	"slices"
	"sync"

	"google.golang.org/grpc"
)

// A stream counts the messages that it receives. Its handler may receive a last one after it has returned.
type stream struct {
	grpc.ServerStream
	empty    message // what each begins as
	answered bool    // each message is, by one

	mu    sync.Mutex // guards the fields below
	last  message    // of a stream that is not answered; belongs to RecvMsg while busy is set
	held  []*message // of one that is: those that count, the oldest first
	busy  bool       // a message is being received
	ended bool
}

// countStream counts the messages of a stream.
func (m *Messages) countStream(srv any, st grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	counted := &stream{
		ServerStream: st, empty: *m.newMessage(st.Context(), info.FullMethod, true),
		answered: slices.Contains(m.Answered, info.FullMethod),
	}
	defer counted.end()
	return next(srv, counted)
}

// RecvMsg implements [grpc.ServerStream].
func (s *stream) RecvMsg(v any) error {
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

// next returns the message that is received next. Only one is received at a time.
func (s *stream) next() *message {
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
func (s *stream) SendMsg(v any) error {
	if s.answered {
		defer s.releaseFirst()
	}
	return s.ServerStream.SendMsg(v)
}

func (s *stream) releaseFirst() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.held) > 0 {
		s.held[0].release()
		s.held = slices.Delete(s.held, 0, 1)
	}
}

// end releases all messages. One that is being received is released when it has come.
func (s *stream) end() {
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
