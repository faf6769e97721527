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

// ErrNotBegun is the error of a call that the server has not begun. It may be retried elsewhere.
var ErrNotBegun = errors.New("the stream ended before this call had begun")

// A ClientStream is the client's end of a bidirectional gRPC stream.
type ClientStream[Q, R any] interface {
	Send(*Q) error
	Recv() (*R, error)
}

// A ClientConfig says how calls become messages, and limits these.
type ClientConfig[C, Q, R any] struct {
	// MaxCalls and MaxBytes limit a message. A message with a single call may have more bytes.
	MaxCalls, MaxBytes int
	// MaxInFlight is how many messages may be sent and unanswered.
	MaxInFlight int
	// Pack returns the message that carries calls.
	Pack func(calls []C) *Q
	// Unpack returns the errors of the n calls that m answers, or an error if m does not fit them.
	Unpack func(m *R, n int) ([]error, error)
}

// A Client carries calls over one stream. It is safe for concurrent use.
type Client[C, Q, R any] struct {
	config   ClientConfig[C, Q, R]
	stream   ClientStream[Q, R]
	wake     chan struct{} // holds one token while calls may be waiting
	inFlight chan struct{} // a semaphore: a token for each unanswered message

	mu       sync.Mutex        // guards the fields below
	waiting  []queuedCall[C]   // not yet in a message
	messages [][]queuedCall[C] // unanswered, or about to be sent; in order
	ended    bool
}

// NewClient returns a client of the stream. It sends nothing until it runs.
func NewClient[C, Q, R any](cfg ClientConfig[C, Q, R], stream ClientStream[Q, R]) *Client[C, Q, R] {
	return &Client[C, Q, R]{
		config: cfg, stream: stream, wake: make(chan struct{}, 1), inFlight: make(chan struct{}, cfg.MaxInFlight),
	}
}

// Run carries calls until the stream ends, and returns the error that ended it. It calls end, which
// must cancel ctx, and returns when every call has its result.
func (c *Client[C, Q, R]) Run(ctx context.Context, end context.CancelFunc) error {
	var sending sync.WaitGroup
	sending.Go(func() { c.send(ctx) })
	err := c.receive()
	c.close()
	end()
	sending.Wait()
	c.finish(err)
	return err
}

// Post enqueues calls in order; sizes are their sizes in bytes. Calls that are larger than maxSize
// end with [ErrNotBegun], and so do all calls after the end of the stream.
func (c *Client[C, Q, R]) Post(calls []C, sizes []int, maxSize int) *Group {
	g := &Group{errs: make([]error, len(calls)), done: make(chan struct{}), mu: &c.mu}
	c.mu.Lock()
	for i, call := range calls {
		if c.ended || sizes[i] > maxSize {
			g.errs[i] = ErrNotBegun
			continue
		}
		g.left++
		c.waiting = append(c.waiting, queuedCall[C]{group: g, content: call, size: sizes[i], index: i})
	}
	wait := g.left > 0
	c.mu.Unlock()
	if !wait {
		close(g.done)
		return g
	}
	select {
	case c.wake <- struct{}{}:
	default:
	}
	return g
}

// send sends waiting calls until ctx ends or the stream breaks. It blocks while the maximum of
// messages is in flight.
func (c *Client[C, Q, R]) send(ctx context.Context) {
	for {
		select {
		case <-c.wake:
		case <-ctx.Done():
			return
		}
		runtime.Gosched() // so that calls of other runnable goroutines share the message
		for {
			select {
			case c.inFlight <- struct{}{}:
			case <-ctx.Done():
				return
			}
			m := c.next()
			if m == nil {
				<-c.inFlight
				break
			}
			if c.stream.Send(m) != nil {
				return // receive returns the reason
			}
		}
	}
}

// next returns the next message, or nil if no call waits. It drops the calls of canceled groups.
func (c *Client[C, Q, R]) next() *Q {
	c.mu.Lock()
	defer c.mu.Unlock()
	var calls []queuedCall[C]
	var contents []C
	bytes, n := 0, 0
	for ; n < len(c.waiting) && len(calls) < c.config.MaxCalls; n++ {
		call := c.waiting[n]
		if call.group.canceled {
			continue
		}
		if bytes += call.size; bytes > c.config.MaxBytes && len(calls) > 0 {
			break
		}
		calls, contents = append(calls, call), append(contents, call.content)
	}
	if c.waiting = c.waiting[n:]; len(c.waiting) == 0 {
		c.waiting = nil
	}
	if len(calls) == 0 {
		return nil
	}
	c.messages = append(c.messages, calls)
	return c.config.Pack(contents)
}

// receive sets the results of answered calls until the stream ends. It returns the error that ended
// it.
func (c *Client[C, Q, R]) receive() error {
	for {
		m, err := c.stream.Recv()
		if err != nil {
			return err
		}
		c.mu.Lock()
		if len(c.messages) == 0 {
			c.mu.Unlock()
			return status.Error(codes.Internal, "the server sent an answer without a message")
		}
		calls := c.messages[0]
		c.messages = c.messages[1:]
		c.mu.Unlock()
		<-c.inFlight
		errs, err := c.config.Unpack(m, len(calls))
		for i, call := range calls {
			if err != nil {
				call.finish(err)
			} else {
				call.finish(errs[i])
			}
		}
		if err != nil {
			return err
		}
	}
}

// close makes later calls fail.
func (c *Client[C, Q, R]) close() {
	c.mu.Lock()
	c.ended = true
	c.mu.Unlock()
}

// finish ends all calls when the stream has ended with err. After [io.EOF] the server has not begun
// the unanswered ones; otherwise their outcome is unknown. Neither send nor receive may be running.
func (c *Client[C, Q, R]) finish(err error) {
	if errors.Is(err, io.EOF) {
		err = ErrNotBegun
	}
	c.mu.Lock()
	messages, waiting := c.messages, c.waiting
	c.messages, c.waiting = nil, nil
	c.mu.Unlock()
	for _, calls := range messages {
		for _, call := range calls {
			call.finish(err)
		}
	}
	for _, call := range waiting {
		call.finish(ErrNotBegun)
	}
}
