package forward

import (
	"cmp"
	"context"
	"slices"
	"time"

	"carillon/internal/peerv1"
)

// Targets asks all members what they have of targets. It returns their answers by ID, and the names
// of those that do not answer, such as nodes/a.
func (r *Router) Targets(
	ctx context.Context, q *peerv1.TargetsRequest,
) (answers map[string]*peerv1.TargetsResponse, unreachable []string, err error) {
	if err := r.joined(); err != nil {
		return nil, nil, err
	}
	replies, err := askAll(ctx, r,
		func(ctx context.Context) (*peerv1.TargetsResponse, error) { return r.config.Reporter.Targets(ctx, q) },
		func(ctx context.Context, p peerv1.PeerClient) (*peerv1.TargetsResponse, error) {
			return p.Targets(ctx, q)
		})
	answers, unreachable = answersOf(replies)
	return answers, unreachable, err
}

// ConnectedTargets asks all members which targets have a sidecar that is connected to them. It
// returns what Targets does.
func (r *Router) ConnectedTargets(
	ctx context.Context, q *peerv1.ConnectedTargetsRequest,
) (answers map[string]*peerv1.ConnectedTargetsResponse, unreachable []string, err error) {
	if err := r.joined(); err != nil {
		return nil, nil, err
	}
	replies, err := askAll(ctx, r,
		func(ctx context.Context) (*peerv1.ConnectedTargetsResponse, error) {
			return r.config.Reporter.ConnectedTargets(ctx, q)
		},
		func(ctx context.Context, p peerv1.PeerClient) (*peerv1.ConnectedTargetsResponse, error) {
			return p.ConnectedTargets(ctx, q)
		})
	answers, unreachable = answersOf(replies)
	return answers, unreachable, err
}

// Nodes reports on the members of the cluster, whether they answer or not, and on former members
// that this node remembers, in the order of their IDs. A node that is not a member itself reports
// on the members that it saw last.
func (r *Router) Nodes(ctx context.Context) ([]peerv1.NodeReport, error) {
	replies, err := askAll(ctx, r,
		func(ctx context.Context) (*peerv1.NodeStatus, error) {
			return r.config.Reporter.Status(ctx, &peerv1.StatusRequest{})
		},
		func(ctx context.Context, p peerv1.PeerClient) (*peerv1.NodeStatus, error) {
			return p.Status(ctx, &peerv1.StatusRequest{})
		})
	if err != nil {
		return nil, err
	}
	answered := map[string]bool{}
	for id, got := range replies {
		answered[id] = got.err == nil
	}
	silent := r.noteAnswers(answered, time.Now())
	members, _ := r.membersAndPeers()
	joined := r.joined() == nil
	var all []peerv1.NodeReport
	for _, n := range members {
		got, asked := replies[n.ID]
		if !asked {
			continue // it joined meanwhile
		}
		report := peerv1.NodeReport{ID: n.ID, Address: n.Addr, Status: got.answer, Member: true}
		if got.err != nil {
			report.Status, report.Problem, report.Since = nil, problemOf(got.err, joined), silent[n.ID]
		}
		all = append(all, report)
	}
	for _, l := range r.lostNodes() {
		all = append(all, peerv1.NodeReport{
			ID: l.node.ID, Address: l.node.Addr, Since: l.since,
			Problem: "it is no member of the cluster any more: it was stopped, or its heartbeats have ended",
		})
	}
	slices.SortFunc(all, func(a, b peerv1.NodeReport) int { return cmp.Compare(a.ID, b.ID) })
	return all, nil
}

// lostNodes returns the former members that this node remembers, itself excluded.
func (r *Router) lostNodes() (all []lostNode) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, l := range r.history.lost {
		if id != r.config.ID {
			all = append(all, l)
		}
	}
	return all
}
