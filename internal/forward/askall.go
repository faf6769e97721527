package forward

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"carillon/internal/cluster"
	"carillon/internal/job"
	"carillon/internal/peerv1"
)

// A reply is the answer of a member, or why there is none.
type reply[A any] struct {
	answer A
	err    error
}

// askAll asks all members at once, this node included, and returns their replies by ID. A member
// that does not answer within two seconds is one of the errors. The error of this node is that of
// the call.
func askAll[A any](
	ctx context.Context, r *Router,
	own func(ctx context.Context) (A, error), other func(ctx context.Context, p peerv1.PeerClient) (A, error),
) (map[string]reply[A], error) {
	members, peers := r.membersAndPeers()
	replies := map[string]reply[A]{}
	var mu sync.Mutex // guards replies
	var asked sync.WaitGroup
	for _, n := range members {
		asked.Go(func() {
			var got reply[A]
			switch p := peers[n.ID]; {
			case n.ID == r.config.ID:
				got.answer, got.err = own(ctx)
			case p == nil:
				got.err = errNotConnected
			default:
				got.answer, got.err = askPeer(ctx, p, other)
			}
			mu.Lock()
			defer mu.Unlock()
			replies[n.ID] = got
		})
	}
	asked.Wait()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	for _, id := range slices.Sorted(maps.Keys(replies)) {
		if err := replies[id].err; err != nil {
			r.log.LogAttrs(ctx, slog.LevelDebug, "a node does not answer a question", slog.String("peer", id), slog.Any("err", err))
		}
	}
	return replies, replies[r.config.ID].err
}

// askPeer asks another node, and waits two seconds at most.
func askPeer[A any](ctx context.Context, p *peer, ask func(ctx context.Context, c peerv1.PeerClient) (A, error)) (A, error) {
	ctx, cancel := context.WithTimeout(ctx, progressWait)
	defer cancel()
	return ask(peerv1.WithSecret(ctx, p.node.Secret), p.client)
}

// membersAndPeers returns the members of the cluster, as they were when this node was last a
// member, and the connections to them. This node is always among the members.
func (r *Router) membersAndPeers() ([]cluster.Node, map[string]*peer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	members := slices.Clone(r.history.members)
	if !slices.ContainsFunc(members, func(n cluster.Node) bool { return n.ID == r.config.ID }) {
		members = append(members, cluster.Node{ID: r.config.ID})
	}
	return members, maps.Clone(r.peers)
}

// joined returns an error if this node is not a member of the cluster.
func (r *Router) joined() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.history.joined {
		return fmt.Errorf("this node is not a member of the cluster: %w", job.ErrUnavailable)
	}
	return nil
}

// answersOf divides replies into the answers, and the names of the nodes that did not answer, such
// as nodes/a.
func answersOf[A any](replies map[string]reply[A]) (answers map[string]A, unreachable []string) {
	answers = map[string]A{}
	for id, got := range replies {
		if got.err != nil {
			unreachable = append(unreachable, "nodes/"+id)
		} else {
			answers[id] = got.answer
		}
	}
	slices.Sort(unreachable)
	return answers, unreachable
}

// noteAnswers notes which members have answered at now, and returns since when the others have not.
func (r *Router) noteAnswers(answered map[string]bool, now time.Time) (silent map[string]time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	silent = map[string]time.Time{}
	for id, ok := range answered {
		if since := r.history.noteAnswer(id, ok, now); !ok {
			silent[id] = since
		}
	}
	return silent
}

// problemOf says why a member has not answered.
func problemOf(err error, joined bool) string {
	switch {
	case !joined:
		return "the node that answers is not a member of the cluster now, and has no connection to it"
	case status.Code(err) == codes.Unimplemented:
		return "it runs an older version, which does not say how it is: upgrade it"
	}
	cause := status.Convert(err).Message()
	if _, dial, ok := strings.Cut(cause, "Error while dialing: "); ok {
		cause = strings.TrimSuffix(dial, `"`)
	}
	return "it does not answer: " + cause
}
