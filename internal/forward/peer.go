package forward

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/status"

	"carillon/internal/cluster"
	"carillon/internal/engine"
	"carillon/internal/engine/record"
	"carillon/internal/job"
	"carillon/internal/peerv1"
)

// Limits of a message to a node.
const (
	maxCommands = 1000
	maxBytes    = 1 << 20    // of a message with more than one command
	maxCommand  = 4<<20 - 64 // bytes
)

// drainTimeout is how long the calls in flight to a former member may take.
const drainTimeout = 2 * time.Second

// A peer is another node, and the connection to it. It is safe for concurrent use.
type peer struct {
	node   cluster.Node
	conn   *grpc.ClientConn
	client peerv1.PeerClient
}

// newPeer returns the node with a connection, which begins to connect.
func newPeer(n cluster.Node, dial func(string, ...grpc.DialOption) (*grpc.ClientConn, error)) (*peer, error) {
	conn, err := dial(n.Addr, grpc.WithStatsHandler(sendWatcher{}))
	if err != nil {
		return nil, err
	}
	conn.Connect()
	return &peer{node: n, conn: conn, client: peerv1.NewPeerClient(conn)}, nil
}

// close closes the connection after the node had time to answer calls in flight, or when stop is
// closed: a former member may be leaving regularly. No more calls may be made.
func (p *peer) close(stop <-chan struct{}) {
	timer := time.NewTimer(drainTimeout)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-stop:
	}
	_ = p.conn.Close()
}

// schedule carries out commands on the node, in order, and returns their errors. The error of a
// command that has not begun is [engine.ErrNotOwner].
func (p *peer) schedule(ctx context.Context, requests []job.Request) []error {
	errs := make([]error, len(requests))
	m, indices, bytes := new(peerv1.ApplyRequest), make([]int, 0, min(len(requests), maxCommands)), 0
	flush := func() {
		for n, err := range p.call(ctx, m) {
			errs[indices[n]] = err
		}
	}
	for i := range requests {
		c := &peerv1.Command{Overwrite: requests[i].Overwrite}
		c.Key, c.Spec = record.EncodeRequest(&requests[i])
		size := len(c.GetKey()) + len(c.GetSpec()) + 16
		if size > maxCommand {
			errs[i] = &job.TooLargeError{Size: size, Limit: maxCommand}
			continue
		}
		if len(indices) == maxCommands || len(indices) > 0 && bytes+size > maxBytes {
			flush()
			m, indices, bytes = new(peerv1.ApplyRequest), indices[:0], 0
		}
		m.Commands, indices, bytes = append(m.Commands, c), append(indices, i), bytes+size
	}
	if len(indices) > 0 {
		flush()
	}
	return errs
}

// call sends m and returns the error of each command.
func (p *peer) call(ctx context.Context, m *peerv1.ApplyRequest) []error {
	errs, err := p.callOnce(ctx, m)
	if errs == nil {
		errs = make([]error, len(m.GetCommands()))
	}
	for i := range errs {
		if errs[i] == nil {
			errs[i] = err
		}
		if errs[i] != nil {
			errs[i] = fmt.Errorf("node %s: %w", p.node.ID, errs[i])
		}
	}
	return errs
}

// callOnce sends m and returns the error of each command, or one for all of them.
func (p *peer) callOnce(ctx context.Context, m *peerv1.ApplyRequest) ([]error, error) {
	if p.conn.GetState() != connectivity.Ready {
		p.conn.Connect()
		return nil, fmt.Errorf("not connected: %w", engine.ErrNotOwner)
	}
	ctx, state := watchSend(peerv1.WithSecret(ctx, p.node.Secret))
	answer, err := p.client.Apply(ctx, m)
	switch {
	case err == nil:
		return fromProblems(p.node.ID, answer, len(m.GetCommands()))
	case !state.sent || refusedByServer(err):
		return nil, fmt.Errorf("%w: %w", engine.ErrNotOwner, err)
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	}
	return nil, fmt.Errorf("it was lost while it carried out the call: %w: %w", job.ErrUnavailable, err)
}

// refusedByServer reports whether the node refused the call before it began a command.
func refusedByServer(err error) bool {
	switch status.Code(err) {
	case codes.PermissionDenied, codes.Unauthenticated, codes.Unimplemented, codes.ResourceExhausted:
		return true
	default:
		return false
	}
}
