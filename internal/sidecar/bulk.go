package sidecar

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"carillon/internal/bulkv1"
)

// How long nothing is tried after a stream could not be opened: longer where the scheduler does not know it, as one of
// Dapr's does not. It may be replaced by one that does.
const (
	bulkPause        = time.Second
	bulkUnknownPause = time.Minute
)

// A bulk is one scheduler's stream for schedule calls, which is opened when it is wanted. No call depends on it: while
// it is not open, they are made one by one. It is safe for concurrent use.
type bulk struct {
	client bulkv1.BulkClient
	open   sync.WaitGroup // counts what keeps a stream open

	mu      sync.Mutex    // guards the fields below
	stream  *bulkStream   // nil if none is open
	opening chan struct{} // closed when one is open or could not be opened; nil if none is being opened
	notTill time.Time     // is one to be opened again
	closed  bool
}

// current returns the open stream, if there is one. If not, it has one opened; to a caller that is patient it returns
// when that has ended one way or the other, or ctx has.
func (b *bulk) current(ctx context.Context, patient bool) *bulkStream {
	stream, opening := b.want(ctx)
	if stream != nil || opening == nil || !patient {
		return stream
	}
	select {
	case <-opening:
		stream, _ = b.want(ctx)
		return stream
	case <-ctx.Done():
		return nil
	}
}

func (b *bulk) want(ctx context.Context) (*bulkStream, <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.stream == nil && b.opening == nil && !b.closed && !time.Now().Before(b.notTill) {
		b.opening = make(chan struct{})
		b.open.Go(func() { b.keep(context.WithoutCancel(ctx)) })
	}
	return b.stream, b.opening
}

// keep opens a stream, once the scheduler is there, and keeps it until it breaks or the connection is closed.
func (b *bulk) keep(ctx context.Context) {
	ctx, end := context.WithCancel(ctx)
	defer end()
	client, err := b.dial(ctx)
	b.mu.Lock()
	close(b.opening)
	b.opening = nil
	if err != nil {
		b.notTill = time.Now().Add(bulkPause)
		if status.Code(err) == codes.Unimplemented {
			b.notTill = time.Now().Add(bulkUnknownPause)
		}
		b.mu.Unlock()
		return
	}
	stream := newBulkStream(client)
	b.stream = stream
	b.mu.Unlock()

	_ = stream.Run(ctx, end) // callers hear why it ended
	b.mu.Lock()
	b.stream = nil
	b.mu.Unlock()
}

// dial opens a stream to a scheduler that knows the service: it has answered an empty message.
func (b *bulk) dial(ctx context.Context) (bulkv1.Bulk_ScheduleClient, error) {
	client, err := b.client.Schedule(ctx, grpc.WaitForReady(true))
	if err != nil {
		return nil, err
	}
	if err := client.Send(new(bulkv1.ScheduleRequest)); err != nil && !errors.Is(err, io.EOF) { // Recv knows more of an EOF
		return nil, err
	}
	_, err = client.Recv()
	return client, err
}

// close waits until the stream has ended, whose connection is closed, and lets none be opened any more.
func (b *bulk) close() {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	b.open.Wait()
}
