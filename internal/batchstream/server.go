package batchstream

import (
	"context"
	"errors"
	"io"
	"sync"
)

// A ServerStream is the server's end of a bidirectional gRPC stream.
type ServerStream[Q, R any] interface {
	Context() context.Context
	Recv() (*Q, error)
	Send(*R) error
}

// A ServerConfig says how a server carries out messages.
type ServerConfig[Q, R any] struct {
	// MaxInFlight is how many messages may be begun and unanswered. At the limit no more are
	// received, and flow control blocks the client.
	MaxInFlight int
	// Check returns an error if m is invalid; the error ends the stream.
	Check func(m *Q) error
	// Begin begins the calls of m. The function that it returns waits until they have ended, or ctx
	// ends, and returns the answer.
	Begin func(ctx context.Context, m *Q) (answer func(ctx context.Context) *R)
	// Go runs f in a goroutine. It may be receiving until the handler of the stream returns, and
	// ends soon after that.
	Go func(f func())
	// Contain calls f and returns its error. It recovers a panic of f and returns it as an error.
	Contain func(f func() error) error
}

// Serve carries out the messages of the stream, several at a time: while the calls of one are
// written to the disk, those of the next are prepared. It returns nil when the client has closed
// its side or closing has ended, after it has answered all messages that it began.
func Serve[Q, R any](closing context.Context, stream ServerStream[Q, R], cfg ServerConfig[Q, R]) error {
	closing, end := context.WithCancel(closing)
	defer end()
	answers := make(chan func(context.Context) *R, cfg.MaxInFlight)
	var begins admission
	received, answered := make(chan error, 1), make(chan error, 1)
	cfg.Go(func() {
		received <- cfg.Contain(func() error { return cfg.receive(stream, &begins, answers) })
	})
	cfg.Go(func() { answered <- cfg.answer(stream, answers, end) })
	var err error
	select {
	case err = <-received:
	case <-closing.Done():
	}
	begins.stop()
	close(answers)
	return errors.Join(err, <-answered)
}

// admission decides whether messages may still begin. The zero value admits them.
type admission struct {
	mu      sync.Mutex // held while a message begins
	stopped bool
}

// admit calls begin and returns true, or returns false after stop.
func (a *admission) admit(begin func()) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.stopped {
		return false
	}
	begin()
	return true
}

// stop waits for a message that is beginning; none begins after it returns.
func (a *admission) stop() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.stopped = true
}

// receive begins the messages in order until the client closes its side, messages are no longer
// admitted, or a message is invalid. It returns nil in the first two cases.
func (cfg ServerConfig[Q, R]) receive(stream ServerStream[Q, R], begins *admission, answers chan<- func(context.Context) *R) error {
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = cfg.Check(m)
		}
		if err != nil {
			return err
		}
		if !begins.admit(func() { answers <- cfg.Begin(stream.Context(), m) }) {
			return nil
		}
	}
}

// answer sends the answers in order until answers is closed. After an error it calls failed and
// discards the remaining answers. It returns the error.
func (cfg ServerConfig[Q, R]) answer(stream ServerStream[Q, R], answers <-chan func(context.Context) *R, failed func()) (err error) {
	for wait := range answers {
		if err != nil {
			continue
		}
		if err = cfg.Contain(func() error { return stream.Send(wait(stream.Context())) }); err != nil {
			failed()
		}
	}
	return err
}
