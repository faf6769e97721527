package batchstream

import (
	"context"
	"errors"
	"io"
)

// A Server is the server's end of a stream of gRPC.
type Server[Q, R any] interface {
	Context() context.Context
	Recv() (*Q, error)
	Send(*R) error
}

// A Service is how messages are carried out.
type Service[Q, R any] struct {
	// Unanswered is how many messages are in work at most; no more is read then, so that the client has to wait.
	Unanswered int
	// Check returns an error if m is not to be begun; it ends the stream.
	Check func(m *Q) error
	// Begin begins m, and returns what waits until it is done, or ctx ends, and returns the answer.
	Begin func(ctx context.Context, m *Q) (answer func(ctx context.Context) *R)
	// Go runs f in a goroutine that ends soon after the stream's handler has returned: it may be receiving until then.
	Go func(f func())
	// Contain calls f and returns its error, or its panic as one.
	Contain func(f func() error) error
}

// Serve carries out what comes over the stream, several messages at a time: while the first go to the disk, the next
// are prepared. It ends well when the client has closed its side or closing has ended, and has then answered all that it
// began.
func Serve[Q, R any](closing context.Context, stream Server[Q, R], s Service[Q, R]) error {
	closing, end := context.WithCancel(closing)
	defer end()
	ctx := stream.Context()
	messages := make(chan *Q)
	received := make(chan error, 1)
	s.Go(func() { received <- s.Contain(func() error { return receive(closing, stream, s.Check, messages) }) })
	answers := make(chan func(context.Context) *R, s.Unanswered)
	answered := make(chan error, 1)
	s.Go(func() { answered <- s.answer(stream, answers, end) })
	err := s.Contain(func() error {
		for {
			select {
			case m := <-messages:
				answers <- s.Begin(ctx, m)
			case err := <-received: // all before it has been taken
				return err
			case <-closing.Done():
				return nil
			}
		}
	})
	close(answers)
	return errors.Join(err, <-answered)
}

// receive hands on what the client sends until it has ended, ctx ends, or a message does not pass check. It returns nil
// when the client has closed its side.
func receive[Q, R any](ctx context.Context, stream Server[Q, R], check func(*Q) error, to chan<- *Q) error {
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = check(m)
		}
		if err != nil {
			return err
		}
		select {
		case to <- m:
		case <-ctx.Done():
			return nil
		}
	}
}

// answer sends the answers in turn. After an error it calls failed, and takes what still comes without sending it. It
// returns the error when answers is closed.
func (s Service[Q, R]) answer(stream Server[Q, R], answers <-chan func(context.Context) *R, failed func()) (err error) {
	for wait := range answers {
		if err != nil {
			continue
		}
		if err = s.Contain(func() error { return stream.Send(wait(stream.Context())) }); err != nil {
			failed()
		}
	}
	return err
}
