package batchstream

import (
	"context"
	"errors"
	"io"
	"runtime"
	"sync"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// ErrNotBegun says that a call has not reached the server, and may be made in another way.
var ErrNotBegun = errors.New("the stream ended before this call had begun")

// A Client is the client's end of a stream of gRPC.
type Client[Q, R any] interface {
	Send(*Q) error
	Recv() (*R, error)
}

// A Config says how calls become messages, and the bounds of these.
type Config[C, Q, R any] struct {
	// Calls and Bytes are the most that a message has; one with a single call may have more bytes.
	Calls, Bytes int
	// Unanswered is how many messages may be on their way.
	Unanswered int
	// Pack returns the message that asks for calls.
	Pack func(calls []C) *Q
	// Unpack returns the errors of the calls that m answers, which are n, or an error if it does not answer them.
	Unpack func(m *R, n int) ([]error, error)
}

// A Stream carries calls over one stream. It is safe for concurrent use.
type Stream[C, Q, R any] struct {
	config Config[C, Q, R]
	client Client[Q, R]
	wake   chan struct{} // holds one token while calls may be waiting
	places chan struct{} // a token for each message that has not been answered

	mu       sync.Mutex // guards the fields below
	waiting  []call[C]
	messages [][]call[C] // that have been sent, or are about to be, in their order
	ended    bool
}

type call[C any] struct {
	group   *Group
	content C
	size    int // in bytes
	index   int // in group
}

// A Group is what one caller waits for.
type Group struct {
	errs []error
	left int           // have not been told; belongs to whoever answers
	done chan struct{} // closed when none is left
	mu   *sync.Mutex   // the stream's
	gone bool          // nobody waits any more; guarded by mu
}

// New returns a stream that calls can enter. It does nothing until it runs.
func New[C, Q, R any](cfg Config[C, Q, R], client Client[Q, R]) *Stream[C, Q, R] {
	return &Stream[C, Q, R]{
		config: cfg, client: client, wake: make(chan struct{}, 1), places: make(chan struct{}, cfg.Unanswered),
	}
}

// Run carries calls until the stream ends, and returns why. When it returns, every caller has been told.
func (s *Stream[C, Q, R]) Run(ctx context.Context, end context.CancelFunc) error {
	var sending sync.WaitGroup
	sending.Go(func() { s.send(ctx) })
	err := s.receive()
	s.close()
	end()
	sending.Wait()
	s.tell(err)
	return err
}

// Post puts calls in line, in their order. The sizes are theirs, in bytes. A call that is larger than most is not
// begun, nor is any once the stream has ended.
func (s *Stream[C, Q, R]) Post(calls []C, sizes []int, most int) *Group {
	g := &Group{errs: make([]error, len(calls)), done: make(chan struct{}), mu: &s.mu}
	s.mu.Lock()
	for i, c := range calls {
		if s.ended || sizes[i] > most {
			g.errs[i] = ErrNotBegun
			continue
		}
		g.left++
		s.waiting = append(s.waiting, call[C]{group: g, content: c, size: sizes[i], index: i})
	}
	wait := g.left > 0
	s.mu.Unlock()
	if !wait {
		close(g.done)
		return g
	}
	select {
	case s.wake <- struct{}{}:
	default:
	}
	return g
}

// Wait returns the error of each call of the group. It is [ErrNotBegun] for those that were not begun, and that of
// ctx, as a status, for all if it ends first: then they may be carried out or not.
func (g *Group) Wait(ctx context.Context) []error {
	select {
	case <-g.done:
		return g.errs
	case <-ctx.Done():
	}
	g.mu.Lock()
	g.gone = true
	g.mu.Unlock()
	errs := make([]error, len(g.errs))
	for i := range errs {
		errs[i] = status.FromContextError(ctx.Err()).Err()
	}
	return errs
}

// send sends what waits, whenever there is something, until ctx ends or the stream breaks. It blocks while as many
// messages as may be are unanswered.
func (s *Stream[C, Q, R]) send(ctx context.Context) {
	for {
		select {
		case <-s.wake:
		case <-ctx.Done():
			return
		}
		runtime.Gosched() // those who are about to call come along
		for {
			select {
			case s.places <- struct{}{}:
			case <-ctx.Done():
				return
			}
			m := s.next()
			if m == nil {
				<-s.places
				break
			}
			if s.client.Send(m) != nil {
				return // receive hears why
			}
		}
	}
}

// next returns the next message, or nil if nothing waits. Whoever has gone is left out.
func (s *Stream[C, Q, R]) next() *Q {
	s.mu.Lock()
	defer s.mu.Unlock()
	var calls []call[C]
	var contents []C
	bytes, n := 0, 0
	for ; n < len(s.waiting) && len(calls) < s.config.Calls; n++ {
		c := s.waiting[n]
		if c.group.gone {
			continue
		}
		if bytes += c.size; bytes > s.config.Bytes && len(calls) > 0 {
			break
		}
		calls, contents = append(calls, c), append(contents, c.content)
	}
	if s.waiting = s.waiting[n:]; len(s.waiting) == 0 {
		s.waiting = nil
	}
	if len(calls) == 0 {
		return nil
	}
	s.messages = append(s.messages, calls)
	return s.config.Pack(contents)
}

// receive tells callers how their calls ended, until the stream ends. It returns why.
func (s *Stream[C, Q, R]) receive() error {
	for {
		m, err := s.client.Recv()
		if err != nil {
			return err
		}
		s.mu.Lock()
		if len(s.messages) == 0 {
			s.mu.Unlock()
			return status.Error(codes.Internal, "the server answered what it was not asked")
		}
		calls := s.messages[0]
		s.messages = s.messages[1:]
		s.mu.Unlock()
		<-s.places
		errs, err := s.config.Unpack(m, len(calls))
		for i, c := range calls {
			if err != nil {
				c.tell(err)
			} else {
				c.tell(errs[i])
			}
		}
		if err != nil {
			return err
		}
	}
}

// close lets no call enter any more.
func (s *Stream[C, Q, R]) close() {
	s.mu.Lock()
	s.ended = true
	s.mu.Unlock()
}

// tell tells everybody that the stream has ended, with err: a good end leaves undone what was not answered, and
// otherwise nobody knows. It is called when neither send nor receive runs any more.
func (s *Stream[C, Q, R]) tell(err error) {
	if errors.Is(err, io.EOF) {
		err = ErrNotBegun
	}
	s.mu.Lock()
	messages, waiting := s.messages, s.waiting
	s.messages, s.waiting = nil, nil
	s.mu.Unlock()
	for _, calls := range messages {
		for _, c := range calls {
			c.tell(err)
		}
	}
	for _, c := range waiting {
		c.tell(ErrNotBegun)
	}
}

// tell says how c ended.
func (c call[C]) tell(err error) {
	c.group.errs[c.index] = err
	if c.group.left--; c.group.left == 0 {
		close(c.group.done)
	}
}
