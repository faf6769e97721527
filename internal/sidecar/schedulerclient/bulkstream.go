package schedulerclient

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"carillon/internal/batchstream"
	"carillon/internal/bulkv1"
)

// How long after a failed attempt a bulk stream is opened again. A scheduler of Dapr's does not
// know the service, and may be replaced by one that does.
const (
	bulkRetryDelay         = time.Second
	bulkUnimplementedDelay = time.Minute
)

// maxBulkJob is the largest job that goes over a bulk stream, in bytes.
const maxBulkJob = 4<<20 - 16

// A bulkStream carries schedule calls to one scheduler, many in a message.
type bulkStream = batchstream.Client[
	*schedulerv1.ScheduleJobRequest, bulkv1.ScheduleRequest, bulkv1.ScheduleResponse,
]

type bulkStreamConfig = batchstream.ClientConfig[
	*schedulerv1.ScheduleJobRequest, bulkv1.ScheduleRequest, bulkv1.ScheduleResponse,
]

// A bulkStreamKeeper keeps the bulk stream of one scheduler, which it opens on demand. No call
// depends on the stream: while it is not open, jobs are stored one by one. It is safe for
// concurrent use.
type bulkStreamKeeper struct {
	client  bulkv1.BulkClient
	running sync.WaitGroup // run

	mu         sync.Mutex    // guards the fields below
	stream     *bulkStream   // nil if none is open
	opening    chan struct{} // closed when opening has ended; nil if none is being opened
	retryAfter time.Time     // no stream is opened before
	closed     bool
}

// get returns the open stream, or nil. If none is open, it starts opening one; with wait it returns
// when that has succeeded or failed, or ctx has ended.
func (k *bulkStreamKeeper) get(ctx context.Context, wait bool) *bulkStream {
	stream, opening := k.start(ctx)
	if stream != nil || opening == nil || !wait {
		return stream
	}
	select {
	case <-opening:
		stream, _ = k.start(ctx)
		return stream
	case <-ctx.Done():
		return nil
	}
}

// start starts opening a stream if none is open and one may be opened now.
func (k *bulkStreamKeeper) start(ctx context.Context) (*bulkStream, <-chan struct{}) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.stream == nil && k.opening == nil && !k.closed && !time.Now().Before(k.retryAfter) {
		k.opening = make(chan struct{})
		k.running.Go(func() { k.run(context.WithoutCancel(ctx)) })
	}
	return k.stream, k.opening
}

// run opens a stream as soon as the scheduler is connected, and returns when the stream has ended
// or the connection is closed.
func (k *bulkStreamKeeper) run(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	client, err := k.open(ctx)
	k.mu.Lock()
	close(k.opening)
	k.opening = nil
	if err != nil {
		k.retryAfter = time.Now().Add(bulkRetryDelay)
		if status.Code(err) == codes.Unimplemented {
			k.retryAfter = time.Now().Add(bulkUnimplementedDelay)
		}
		k.mu.Unlock()
		return
	}
	stream := newBulkStream(client)
	k.stream = stream
	k.mu.Unlock()

	_ = stream.Run(ctx, cancel) // its callers get the error
	k.mu.Lock()
	k.stream = nil
	k.mu.Unlock()
}

// open opens a stream. The scheduler knows the service: it answered an empty message.
func (k *bulkStreamKeeper) open(ctx context.Context) (bulkv1.Bulk_ScheduleClient, error) {
	client, err := k.client.Schedule(ctx, grpc.WaitForReady(true))
	if err != nil {
		return nil, err
	}
	// After io.EOF Recv returns the reason.
	if err := client.Send(new(bulkv1.ScheduleRequest)); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	_, err = client.Recv()
	return client, err
}

// close prevents new streams, and waits until the open one has ended. The connection must be
// closed.
func (k *bulkStreamKeeper) close() {
	k.mu.Lock()
	k.closed = true
	k.mu.Unlock()
	k.running.Wait()
}

func newBulkStream(client bulkv1.Bulk_ScheduleClient) *bulkStream {
	return batchstream.NewClient(bulkStreamConfig{
		MaxCalls: 1000, MaxBytes: 1 << 20, MaxInFlight: 4,
		Pack: func(jobs []*schedulerv1.ScheduleJobRequest) *bulkv1.ScheduleRequest {
			return &bulkv1.ScheduleRequest{Jobs: jobs}
		},
		Unpack: unpackResponse,
	}, client)
}

// unpackResponse returns the errors of the n jobs of a message.
func unpackResponse(m *bulkv1.ScheduleResponse, n int) ([]error, error) {
	errs := make([]error, n)
	next := 0
	for _, r := range m.GetRefused() {
		i := int(r.GetIndex())
		if i < next || i >= n {
			return nil, status.Error(codes.Internal, "the scheduler refused what it was not asked")
		}
		errs[i], next = status.Error(codes.Code(r.GetCode()), r.GetMessage()), i+1
	}
	return errs, nil
}

func sizesOf(all []*schedulerv1.ScheduleJobRequest) []int {
	sizes := make([]int, len(all))
	for i, r := range all {
		sizes[i] = proto.Size(r)
	}
	return sizes
}
