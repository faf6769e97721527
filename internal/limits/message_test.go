package limits_test

import (
	"context"
	"fmt"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	protobuf "google.golang.org/protobuf/proto"

	"carillon/internal/limits"
)

const (
	mib   = 1 << 20
	large = 4*mib - 100<<10 // bytes of a message
)

// A holder blocks large calls of DeleteJob, and answers to messages of WatchJobs, until let yields.
type holder struct {
	schedulerv1.UnimplementedSchedulerServer
	let  chan struct{}
	held atomic.Int64
}

func (h *holder) DeleteJob(_ context.Context, r *schedulerv1.DeleteJobRequest) (*schedulerv1.DeleteJobResponse, error) {
	if len(r.GetName()) > mib {
		h.held.Add(1)
		defer h.held.Add(-1)
		<-h.let
	}
	return new(schedulerv1.DeleteJobResponse), nil
}

func (h *holder) WatchJobs(s schedulerv1.Scheduler_WatchJobsServer) error {
	for {
		if _, err := s.Recv(); err != nil {
			return err
		}
		h.held.Add(1)
		<-h.let
		h.held.Add(-1)
		if err := s.Send(new(schedulerv1.WatchJobsResponse)); err != nil {
			return err
		}
	}
}

// A boundedServer receives messages within a budget.
type boundedServer struct {
	*holder
	messages *limits.MessageMemory
	dial     func() (net.Conn, error)
}

func newBoundedServer(t *testing.T, budget int64, admit ...func(context.Context, string) error) *boundedServer {
	t.Helper()
	l := bufconn.Listen(1 << 16)
	s := &boundedServer{
		holder:   &holder{let: make(chan struct{})},
		messages: &limits.MessageMemory{Budget: limits.NewBudget(budget), Max: 4 * mib, Codec: encoding.GetCodecV2(proto.Name)},
		dial:     func() (net.Conn, error) { return l.DialContext(t.Context()) },
	}
	calls := limits.Calls{MaxConcurrent: 1000, Timeout: time.Minute, MaxHeaderBytes: 8 << 10, Messages: s.messages}
	if len(admit) > 0 {
		calls.Admit = admit[0]
	}
	server := calls.NewServer()
	schedulerv1.RegisterSchedulerServer(server, s)
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	t.Cleanup(func() {
		server.Stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return s
}

func (s *boundedServer) client(t *testing.T, opts ...grpc.CallOption) schedulerv1.SchedulerClient {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:service", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(opts...), grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) { return s.dial() }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return schedulerv1.NewSchedulerClient(conn)
}

func (s *boundedServer) raw(t *testing.T) *rawClient {
	t.Helper()
	conn, err := s.dial()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return newRawClient(t, conn)
}

// small makes a small call, and checks that it succeeds at once.
func (s *boundedServer) small(t *testing.T, when string, c schedulerv1.SchedulerClient) {
	t.Helper()
	began := time.Now()
	if _, err := c.DeleteJob(t.Context(), &schedulerv1.DeleteJobRequest{Name: "a"}); err != nil || time.Since(began) > time.Second {
		t.Errorf("%s a small call got %v after %v, want success at once", when, err, time.Since(began))
	}
}

// allFree checks that the whole budget is free.
func (s *boundedServer) allFree(t *testing.T) {
	t.Helper()
	synctest.Wait()
	if used := s.messages.Budget.Used(); used != 0 {
		t.Errorf("%d bytes are in use when all calls have ended", used)
	}
}

func nameOf(bytes int) *schedulerv1.DeleteJobRequest {
	return &schedulerv1.DeleteJobRequest{Name: strings.Repeat("a", bytes)}
}

// sharedCodec sends the same bytes for each message, so that they are in memory once.
type sharedCodec struct {
	encoding.CodecV2
	bytes mem.BufferSlice
}

func (c sharedCodec) Marshal(any) (mem.BufferSlice, error) { return c.bytes, nil }

func TestLargeMessagesStayWithinTheBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newBoundedServer(t, 32*mib)
		encoded, err := protobuf.Marshal(nameOf(large))
		if err != nil {
			t.Fatal(err)
		}
		codec := sharedCodec{encoding.GetCodecV2(proto.Name), mem.BufferSlice{mem.SliceBuffer(encoded)}}
		small := s.client(t)
		s.small(t, "before,", small)
		before := inUse()
		var calls sync.WaitGroup
		refused := make(chan error, 64)
		for range 8 {
			c := s.client(t, grpc.ForceCodecV2(codec))
			for range 8 {
				calls.Go(func() {
					if _, err := c.DeleteJob(t.Context(), nil); err != nil {
						refused <- err
					}
				})
			}
		}
		synctest.Wait()
		time.Sleep(10 * time.Second) // reads of the connections are throttled
		synctest.Wait()
		if held, used := s.held.Load(), s.messages.Budget.Used(); held != 3 || used > 24*mib {
			t.Errorf("%d calls are carried out with %d bytes: want 3 with 24 MiB at most, of 64", held, used)
		}
		// On top of the budget: windows of the connections, and their buffers at both ends.
		if used := inUse() - before; used > 32*mib {
			t.Errorf("%d MiB are in use, want no more than the budget", used/mib)
		} else {
			t.Logf("%.1f MiB are in use", float64(used)/mib)
		}
		s.small(t, "meanwhile,", small)
		close(s.let)
		calls.Wait()
		close(refused)
		n := 0
		for err := range refused {
			if n++; status.Code(err) != codes.ResourceExhausted || !strings.Contains(err.Error(), "33554432 bytes, is in use: try again") {
				t.Fatalf("refused with %v, want ResourceExhausted with the budget and what to do", err)
			}
		}
		if n != 61 {
			t.Errorf("%d are refused, want 61", n)
		}
		s.allFree(t)
	})
}

// inUse returns how many bytes of the heap are in use.
func inUse() int64 {
	runtime.GC()
	runtime.GC() // a pool drops its contents in the second cycle
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func TestStalledMessagesAreCanceledForOthers(t *testing.T) {
	for _, size := range []int{large, 60 << 10} {
		t.Run(fmt.Sprintf("%d KiB", size>>10), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newBoundedServer(t, 16*mib)
				c := s.client(t)
				var ended []<-chan codes.Code
				for range 10 {
					r := s.raw(t)
					for range 20 {
						id, e := r.begin(schedulerv1.Scheduler_DeleteJob_FullMethodName, size)
						ended = append(ended, e)
						r.send(id, 10<<10)
						r.send(id, 10<<10)
					}
				}
				synctest.Wait()
				full := size
				if size > 64<<10 {
					full = mib // large messages leave memory to smaller ones
					s.small(t, "with large ones,", c)
				}
				_, err := c.DeleteJob(t.Context(), nameOf(full))
				if status.Code(err) != codes.ResourceExhausted {
					t.Errorf("before they are stalled, another gets %v, want ResourceExhausted", err)
				}
				for range 2 { // a message that arrived after the last scan is stalled one scan later
					time.Sleep(6 * time.Second)
					if _, err = c.DeleteJob(t.Context(), nameOf(full)); err == nil {
						break
					}
				}
				if err != nil {
					t.Errorf("when they are stalled, another gets %v, want success", err)
				}
				synctest.Wait()
				for i, e := range ended {
					select {
					case code := <-e:
						if code != codes.ResourceExhausted {
							t.Fatalf("stalled call %d ended with %v, want ResourceExhausted", i, code)
						}
					default:
						t.Fatalf("stalled call %d has not ended", i)
					}
				}
				s.allFree(t)
			})
		})
	}
}

func TestSlowMessageMayFinishWhileMemoryIsFree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newBoundedServer(t, 16*mib)
		r := s.raw(t)
		id, ended := r.begin(schedulerv1.Scheduler_DeleteJob_FullMethodName, 10)
		r.send(id, 5)
		time.Sleep(30 * time.Second)
		s.small(t, "with a slow one,", s.client(t))
		if len(ended) > 0 || s.messages.Budget.Used() != 20 {
			t.Errorf("it has ended, or %d bytes are in use, want 20", s.messages.Budget.Used())
		}
		time.Sleep(time.Minute)
		if code := <-ended; code != codes.DeadlineExceeded {
			t.Errorf("it ended with %v, want DeadlineExceeded, as before", code)
		}
		s.allFree(t)
	})
}

func TestStreamMessageWaitsForMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newBoundedServer(t, 16*mib)
		name := strings.Repeat("a", 3*mib-100)
		m := &schedulerv1.WatchJobsRequest{WatchJobRequestType: &schedulerv1.WatchJobsRequest_Initial{
			Initial: &schedulerv1.WatchJobsRequestInitial{AppId: name},
		}}
		var streams []schedulerv1.Scheduler_WatchJobsClient
		for range 3 { // two fit in memory
			st, err := s.client(t).WatchJobs(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			go func() { _ = st.Send(m) }()
			streams = append(streams, st)
			synctest.Wait()
		}
		if held := s.held.Load(); held != 2 {
			t.Errorf("%d messages are being handled, want 2", held)
		}
		s.let <- struct{}{}
		synctest.Wait()
		if held := s.held.Load(); held != 2 {
			t.Errorf("%d messages are being handled when one is answered, want 2", held)
		}
		for range 2 {
			s.let <- struct{}{}
		}
		for _, st := range streams {
			if _, err := st.Recv(); err != nil {
				t.Errorf("a message that had to wait got %v", err)
			}
		}
		s.allFree(t)

		for _, st := range streams {
			go func() { _ = st.Send(m) }()
		}
		synctest.Wait()
		began, failed := time.Now(), make(chan error, 3)
		for _, st := range streams {
			go func() {
				_, err := st.Recv()
				failed <- err
			}()
		}
		if err := <-failed; status.Code(err) != codes.ResourceExhausted || time.Since(began) != 10*time.Second {
			t.Errorf("after %v: %v, want ResourceExhausted after ten seconds", time.Since(began), err)
		}
		close(s.let)
	})
}

func TestMessageOfWaitingMethodWaitsForMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newBoundedServer(t, 16*mib)
		s.messages.Waiting = []string{schedulerv1.Scheduler_DeleteJob_FullMethodName}
		r := &schedulerv1.DeleteJobRequest{Name: strings.Repeat("a", 3*mib-100)}
		ended := make(chan error, 4)
		call := func() {
			_, err := s.client(t).DeleteJob(t.Context(), r)
			ended <- err
		}
		for range 3 { // two fit in memory
			go call()
			synctest.Wait()
		}
		time.Sleep(5 * time.Second)
		if held := s.held.Load(); held != 2 || len(ended) > 0 {
			t.Errorf("%d messages are being handled and %d calls have ended, want two and one that waits", held, len(ended))
		}
		began := time.Now()
		go call()
		for range 3 { // one for each that is handled, and for the one that waited
			s.let <- struct{}{}
			if err := <-ended; err != nil {
				t.Errorf("after %v: %v", time.Since(began), err)
			}
		}
		s.let <- struct{}{}
		if err := <-ended; err != nil {
			t.Error(err)
		}
		s.allFree(t)
	})
}

func TestReservedMemoryAdmitsLargestReservedMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newBoundedServer(t, 16*mib)
		s.messages.Reserved = []string{schedulerv1.Scheduler_GetJob_FullMethodName}
		large := strings.Repeat("a", 2*mib+mib/8)
		ended := make(chan error, 10)
		call := func() {
			go func() {
				_, err := s.client(t).DeleteJob(t.Context(), &schedulerv1.DeleteJobRequest{Name: large[:mib+mib/2]})
				ended <- err
			}()
			synctest.Wait()
		}
		for len(ended) == 0 {
			call()
		}
		if err := <-ended; status.Code(err) != codes.ResourceExhausted || s.held.Load() < 3 {
			t.Fatalf("beyond the memory, with %d messages in it: %v, want ResourceExhausted", s.held.Load(), err)
		}
		if _, err := s.client(t).GetJob(t.Context(), &schedulerv1.GetJobRequest{Name: large}); status.Code(err) != codes.Unimplemented {
			t.Errorf("a reserved message of two MiB and an eighth: %v, want that it is received", err)
		}
		close(s.let)
		for range s.held.Load() {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
		s.allFree(t)
	})
}

func TestFewLargeMessagesWaitAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newBoundedServer(t, 16*mib)
		s.messages.Waiting = []string{schedulerv1.Scheduler_DeleteJob_FullMethodName}
		client, ended := s.client(t), make(chan error, 100)
		call := func(bytes int) {
			_, err := client.DeleteJob(t.Context(), &schedulerv1.DeleteJobRequest{Name: strings.Repeat("a", bytes)})
			ended <- err
		}
		for range 2 { // which fill the memory for large messages
			go call(3*mib - 100)
			synctest.Wait()
		}
		const few, more = 64, 10
		for range few + more {
			go call(100 << 10)
		}
		time.Sleep(8 * time.Second)
		if got := len(ended); got != more || s.held.Load() != 2 {
			t.Errorf("%d calls are refused at once, with %d in memory, want %d and 2", got, s.held.Load(), more)
		}
		close(s.let)
		failed := 0
		for range 2 + few + more {
			if <-ended != nil {
				failed++
			}
		}
		if failed != more {
			t.Errorf("%d calls failed, want the %d beyond those that may wait", failed, more)
		}
		s.allFree(t)
	})
}

// A caller that is not admitted costs no memory: its message is not received.
func TestRefusedCallIsNotReceived(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newBoundedServer(t, 16*mib, func(_ context.Context, method string) error {
			if method == schedulerv1.Scheduler_DeleteJob_FullMethodName {
				return status.Error(codes.PermissionDenied, "no")
			}
			return nil
		})
		r := s.raw(t)
		id, ended := r.begin(schedulerv1.Scheduler_DeleteJob_FullMethodName, 3*mib)
		r.send(id, 5) // and no more
		synctest.Wait()
		if len(ended) == 0 || s.messages.Budget.Used() != 0 {
			t.Fatalf("it waits for the rest of the message, with %d bytes of memory", s.messages.Budget.Used())
		}
		if code := <-ended; code != codes.PermissionDenied {
			t.Errorf("it ended with %v, want PermissionDenied", code)
		}
	})
}

func TestCompressedMessageCountsItsDecompressedSize(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newBoundedServer(t, 32*mib)
		c := s.client(t, grpc.UseCompressor(gzip.Name))
		var calls sync.WaitGroup
		var refused atomic.Int64
		for range 20 {
			calls.Go(func() {
				if _, err := c.DeleteJob(t.Context(), nameOf(3*mib)); status.Code(err) == codes.ResourceExhausted {
					refused.Add(1)
				} else if err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		time.Sleep(10 * time.Second)
		if held, used := s.held.Load(), s.messages.Budget.Used(); held < 2 || held > 4 || used < 2*3*mib*held {
			t.Errorf("%d calls are carried out with %d bytes, want each with twice its own", held, used)
		}
		close(s.let)
		calls.Wait()
		if refused.Load() == 0 {
			t.Error("none is refused")
		}
		if _, err := c.DeleteJob(t.Context(), nameOf(4*mib)); status.Code(err) != codes.ResourceExhausted {
			t.Errorf("one that is too large when it is decompressed: %v", err)
		}
		s.allFree(t)
	})
}
