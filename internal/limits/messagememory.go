package limits

import (
	"context"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/stats"
)

// MinMessageBytes is the smallest budget for messages of up to 4 MiB. A smaller one could never
// admit a large message.
const MinMessageBytes = 16 << 20

// MessageMemory limits the memory of the messages that a server receives, over all connections. A
// message counts twice its bytes, because it is held both encoded and decoded, from when its bytes
// arrive until its call ends, or its stream receives the next message. A large message acquires its
// bytes as they arrive.
//
// A unary call whose message does not fit is refused. A message of a stream, or of a method in
// Waiting, waits for ten seconds; then its call is refused. Messages of more than 64 KiB that wait
// hold received bytes beyond the budget, up to [Window] each: a quarter of it at most, and further
// ones are refused at once. Messages of more than 64 KiB leave a quarter of the budget to smaller
// ones. With Reserved, the other calls leave an eighth of the budget to the reserved ones, or a
// sixteenth more than Max if that is more, and large messages leave another eighth to small ones.
//
// While the budget is used up, messages are refused that are still incomplete five seconds later.
// So slow clients do not exclude the others.
//
// In addition to the budget a connection holds received bytes that no handler has read: at most
// [Window] for each stream, and 4 KiB for each message that is being received.
type MessageMemory struct {
	Budget *Budget
	// Max is how many bytes one message may have.
	Max int
	// Codec decodes messages. If its error is a status, it is the error of the call.
	Codec encoding.CodecV2
	// Stats is called for each message, if it is not nil.
	Stats stats.Handler
	// Waiting are the full names of unary methods whose messages wait for memory.
	Waiting []string
	// Reserved are the full names of methods for which memory is reserved. Their calls should be
	// admitted first: see [Calls].
	Reserved []string

	incoming incoming
	waiting  atomic.Int64 // large messages that wait for memory
}

const (
	// Window is how many bytes of a stream a client may send before they are read.
	Window = 64 << 10
	// SmallMessage is the largest size, in bytes, of a message that counts as small.
	SmallMessage = 64 << 10
	// ConnWindow is how many bytes may be in flight on a connection. They move to the windows of
	// their streams as they arrive.
	ConnWindow = 1 << 20

	maxWait = 10 // seconds that a message waits for memory, if it waits
)

// acquire acquires n bytes of the budget. If they are not free, it cancels stalled messages, and
// waits for their bytes; with wait it waits longer.
func (m *MessageMemory) acquire(ctx context.Context, n, limit int64, wait bool) bool {
	if m.Budget.TryAcquireWithin(n, limit) {
		return true
	}
	if wait && n > 2*SmallMessage {
		defer m.waiting.Add(-1)
		wait = m.waiting.Add(1) <= m.Budget.max/4/Window
	}
	for range maxWait {
		if canceled := m.incoming.cancelStalled(time.Now()); !canceled && !wait {
			return false
		}
		second, cancel := context.WithTimeout(ctx, time.Second)
		acquired := m.Budget.AcquireWithin(second, n, limit)
		cancel()
		if acquired || ctx.Err() != nil || !wait {
			return acquired
		}
	}
	return false
}
