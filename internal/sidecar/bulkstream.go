package sidecar

import (
	"context"
	"errors"
	"io"
	"runtime"
	"sync"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"carillon/internal/bulkv1"
)

// errNotBegun says that a call has not reached the scheduler, and may be made in another way.
var errNotBegun = errors.New("the stream ended before this call had begun")

// The bounds of a stream. Calls beyond them wait in line, as many as there are callers, and go together in the next
// message. A job that is too large for any message is not for streams.
const (
	maxBulkJobs     = 1000
	maxBulkBytes    = 1 << 20 // of a message with more than one job
	maxBulkJob      = 4<<20 - 16
	maxBulkMessages = 4 // that have not been answered
)

// A bulkStream carries schedule calls to one scheduler. Whoever calls while a message leaves goes with the next one; a
// call that comes alone leaves at once.
type bulkStream struct {
	client bulkv1.Bulk_ScheduleClient
	wake   chan struct{} // holds one token while calls may be waiting
	places chan struct{} // a token for each message that has not been answered

	mu       sync.Mutex // guards the fields below
	waiting  []bulkCall
	messages [][]bulkCall // that have been sent, or are about to be, in their order
	ended    bool
}

// A bulkCall is one job of a group.
type bulkCall struct {
	group   *bulkGroup
	request *schedulerv1.ScheduleJobRequest
	size    int // in bytes
	index   int // in group
}

// A bulkGroup is what one caller waits for.
type bulkGroup struct {
	errs []error
	left int           // have not been told; belongs to whoever answers
	done chan struct{} // closed when none is left
	gone bool          // nobody waits any more; guarded by the stream's mu
}

func newBulkStream(client bulkv1.Bulk_ScheduleClient) *bulkStream {
	return &bulkStream{client: client, wake: make(chan struct{}, 1), places: make(chan struct{}, maxBulkMessages)}
}

// schedule has the jobs of all stored in their order, and returns the error of each. It is errNotBegun for those that
// are to be scheduled in another way. The sizes are those of all.
func (s *bulkStream) schedule(ctx context.Context, all []*schedulerv1.ScheduleJobRequest, sizes []int) []error {
	g := &bulkGroup{errs: make([]error, len(all)), done: make(chan struct{})}
	if !s.enter(g, all, sizes) {
		return g.errs
	}
	select {
	case <-g.done:
		return g.errs
	case <-ctx.Done():
	}
	s.mu.Lock()
	g.gone = true
	s.mu.Unlock()
	errs := make([]error, len(all))
	for i := range errs {
		errs[i] = status.FromContextError(ctx.Err()).Err()
	}
	return errs
}

// enter puts the jobs of all in line, and reports whether there are any to wait for.
func (s *bulkStream) enter(g *bulkGroup, all []*schedulerv1.ScheduleJobRequest, sizes []int) bool {
	s.mu.Lock()
	for i, r := range all {
		if s.ended || sizes[i] > maxBulkJob {
			g.errs[i] = errNotBegun
			continue
		}
		g.left++
		s.waiting = append(s.waiting, bulkCall{group: g, request: r, size: sizes[i], index: i})
	}
	wait := g.left > 0
	s.mu.Unlock()
	if wait {
		select {
		case s.wake <- struct{}{}:
		default:
		}
	}
	return wait
}

// send sends what waits, whenever there is something, until ctx ends or the stream breaks. It blocks while as many
// messages as may be are unanswered.
func (s *bulkStream) send(ctx context.Context) {
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
func (s *bulkStream) next() *bulkv1.ScheduleRequest {
	s.mu.Lock()
	defer s.mu.Unlock()
	var calls []bulkCall
	m, bytes, n := new(bulkv1.ScheduleRequest), 0, 0
	for ; n < len(s.waiting) && len(calls) < maxBulkJobs; n++ {
		c := s.waiting[n]
		if c.group.gone {
			continue
		}
		if bytes += c.size; bytes > maxBulkBytes && len(calls) > 0 {
			break
		}
		calls = append(calls, c)
		m.Jobs = append(m.Jobs, c.request)
	}
	if s.waiting = s.waiting[n:]; len(s.waiting) == 0 {
		s.waiting = nil
	}
	if len(calls) == 0 {
		return nil
	}
	s.messages = append(s.messages, calls)
	return m
}

// receive tells callers how their calls ended, until the stream ends. It returns why.
func (s *bulkStream) receive() error {
	for {
		m, err := s.client.Recv()
		if err != nil {
			return err
		}
		s.mu.Lock()
		if len(s.messages) == 0 {
			s.mu.Unlock()
			return status.Error(codes.Internal, "the scheduler answered what it was not asked")
		}
		calls := s.messages[0]
		s.messages = s.messages[1:]
		s.mu.Unlock()
		<-s.places
		refused := m.GetRefused()
		for i, c := range calls {
			if len(refused) > 0 && int(refused[0].GetIndex()) == i {
				err := status.Error(codes.Code(refused[0].GetCode()), refused[0].GetMessage())
				refused = refused[1:]
				c.tell(err)
			} else {
				c.tell(nil)
			}
		}
		if len(refused) > 0 {
			return status.Error(codes.Internal, "the scheduler refused what it was not asked")
		}
	}
}

// end tells everybody that the stream has ended, with err: a good end leaves undone what was not answered, and
// otherwise nobody knows. It is called when neither send nor receive runs any more.
func (s *bulkStream) end(err error) {
	if errors.Is(err, io.EOF) {
		err = errNotBegun
	}
	s.mu.Lock()
	messages, waiting := s.messages, s.waiting
	s.messages, s.waiting, s.ended = nil, nil, true
	s.mu.Unlock()
	for _, calls := range messages {
		for _, c := range calls {
			c.tell(err)
		}
	}
	for _, c := range waiting {
		c.tell(errNotBegun)
	}
}

// tell says how c ended.
func (c bulkCall) tell(err error) {
	c.group.errs[c.index] = err
	if c.group.left--; c.group.left == 0 {
		close(c.group.done)
	}
}

func sizesOf(all []*schedulerv1.ScheduleJobRequest) []int {
	sizes := make([]int, len(all))
	for i, r := range all {
		sizes[i] = proto.Size(r)
	}
	return sizes
}
