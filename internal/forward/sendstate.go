package forward

import (
	"context"

	"google.golang.org/grpc/stats"
)

// A sendState says whether a call was sent. gRPC repeats a call that the server has not processed,
// and its error does not tell whether the last repetition was sent.
type sendState struct{ sent bool }

type sendStateKey struct{}

// watchSend returns a context of one unary call, and its state, which may be read after the call.
func watchSend(ctx context.Context) (context.Context, *sendState) {
	s := new(sendState)
	return context.WithValue(ctx, sendStateKey{}, s), s
}

// A sendWatcher is the [stats.Handler] that sets states. The goroutine of the call runs it.
type sendWatcher struct{}

func (sendWatcher) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context { return ctx }

func (sendWatcher) HandleRPC(ctx context.Context, event stats.RPCStats) {
	s, ok := ctx.Value(sendStateKey{}).(*sendState)
	if !ok {
		return
	}
	switch event.(type) {
	case *stats.Begin:
		s.sent = false
	case *stats.OutHeader:
		s.sent = true
	}
}

func (sendWatcher) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }

func (sendWatcher) HandleConn(context.Context, stats.ConnStats) {}
