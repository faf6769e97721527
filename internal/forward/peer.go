package forward

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/status"

	"carillon/internal/batchstream"
	"carillon/internal/cluster"
	"carillon/internal/engine"
	"carillon/internal/engine/record"
	"carillon/internal/job"
	"carillon/internal/peerv1"
)

// Limits of the stream to one node. A command is smaller than the largest message.
const (
	maxCommands = 1000
	maxBytes    = 1 << 20 // of a message with more than one command
	maxCommand  = 4<<20 - 64
	maxInFlight = 4 // messages
)

// reopenDelay is the delay before a broken stream is opened again.
const reopenDelay = 50 * time.Millisecond

// drainTimeout is how long the calls in flight of a former member may take.
const drainTimeout = 2 * time.Second

// A commandStream carries commands to another node.
type commandStream = batchstream.Client[*peerv1.Command, peerv1.ApplyRequest, peerv1.ApplyResponse]

// A peer is another node, and the stream to it. It is safe for concurrent use.
type peer struct {
	node cluster.Node
	end  context.CancelFunc // of run; nil until it runs

	mu     sync.Mutex     // guards the field below
	stream *commandStream // nil while none is open
}

func newPeer(n cluster.Node) *peer { return &peer{node: n} }

// retire ends run after the node had time to answer calls in flight, because it may be leaving
// regularly. No more calls may be posted.
func (p *peer) retire() {
	if p.end != nil {
		time.AfterFunc(drainTimeout, p.end)
	}
}

// run keeps a stream to the node open until ctx ends.
func (p *peer) run(ctx context.Context, dial func(string) (*grpc.ClientConn, error), log *slog.Logger) {
	conn, err := dial(p.node.Addr)
	if err != nil {
		log.LogAttrs(ctx, slog.LevelError, "the address of another node is invalid; configure another for that node",
			slog.String("peer", p.node.ID), slog.String("address", p.node.Addr), slog.Any("err", err))
		return
	}
	defer func() { _ = conn.Close() }()
	client := peerv1.NewPeerClient(conn)
	for ctx.Err() == nil {
		if err := p.serve(ctx, client); ctx.Err() == nil {
			log.LogAttrs(ctx, slog.LevelDebug, "the stream to another node ended", slog.String("peer", p.node.ID), slog.Any("err", err))
		}
		timer := time.NewTimer(reopenDelay)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
	}
}

// serve opens a stream and serves it until it breaks. It returns the reason.
func (p *peer) serve(ctx context.Context, client peerv1.PeerClient) error {
	ctx, end := context.WithCancel(ctx)
	defer end()
	apply, err := client.Apply(peerv1.WithSecret(ctx, p.node.Secret), grpc.WaitForReady(true))
	if err != nil {
		return err
	}
	// The answer to an empty message shows that the node responds.
	if err := apply.Send(new(peerv1.ApplyRequest)); err != nil {
		return err
	}
	if _, err := apply.Recv(); err != nil {
		return err
	}
	s := batchstream.NewClient(batchstream.ClientConfig[*peerv1.Command, peerv1.ApplyRequest, peerv1.ApplyResponse]{
		MaxCalls: maxCommands, MaxBytes: maxBytes, MaxInFlight: maxInFlight, Pack: pack, Unpack: unpack,
	}, apply)
	p.set(s)
	defer p.set(nil)
	return s.Run(ctx, end)
}

func (p *peer) set(s *commandStream) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stream = s
}

// post sends commands to the node, in order. The error of a command that has not begun there is
// [engine.ErrNotOwner].
func (p *peer) post(requests []job.Request) (results func(ctx context.Context) []error) {
	p.mu.Lock()
	s := p.stream
	p.mu.Unlock()
	if s == nil {
		errs := make([]error, len(requests))
		for i := range errs {
			errs[i] = fmt.Errorf("node %s is not connected: %w", p.node.ID, engine.ErrNotOwner)
		}
		return func(context.Context) []error { return errs }
	}
	commands, sizes := make([]*peerv1.Command, len(requests)), make([]int, len(requests))
	for i := range requests {
		c := &peerv1.Command{Overwrite: requests[i].Overwrite}
		c.Key, c.Spec = record.EncodeRequest(&requests[i])
		commands[i], sizes[i] = c, len(c.GetKey())+len(c.GetSpec())+16
	}
	g := s.Post(commands, sizes, maxCommand)
	return func(ctx context.Context) []error {
		errs := g.Wait(ctx)
		for i, err := range errs {
			if err != nil {
				errs[i] = p.explain(ctx, err, sizes[i])
			}
		}
		return errs
	}
}

// explain converts the error of the stream for a command of this size.
func (p *peer) explain(ctx context.Context, err error, size int) error {
	switch {
	case errors.Is(err, batchstream.ErrNotBegun) && size > maxCommand:
		return &job.TooLargeError{Size: size, Limit: maxCommand}
	case errors.Is(err, batchstream.ErrNotBegun):
		return fmt.Errorf("node %s: %w", p.node.ID, engine.ErrNotOwner)
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	if _, broken := status.FromError(err); broken {
		return fmt.Errorf("node %s was lost while it carried out the call: %w: %w", p.node.ID, job.ErrUnavailable, err)
	}
	return fmt.Errorf("node %s: %w", p.node.ID, err)
}
