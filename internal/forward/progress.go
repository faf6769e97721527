package forward

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"carillon/internal/engine"
	"carillon/internal/engine/record"
	"carillon/internal/job"
	"carillon/internal/peerv1"
)

// Bounds of asking other nodes how far jobs have got.
const (
	progressWait = 2 * time.Second // for the answer of a node
	maxProgress  = 1000            // jobs in one request
)

// Progress returns how far each of the jobs has got, which are due. It asks the owner of each. The
// jobs of a node that does not answer within two seconds are [engine.HoldupUnreachable], and
// unreachable has the name of that node, such as nodes/a.
func (r *Router) Progress(ctx context.Context, keys []job.Key) (all []engine.DueProgress, unreachable []string, err error) {
	r.mu.Lock()
	owners, peers := r.owners, maps.Clone(r.peers)
	r.mu.Unlock()
	if len(owners) == 0 {
		return nil, nil, fmt.Errorf("this node is not a member of the cluster: %w", job.ErrUnavailable)
	}
	all = make([]engine.DueProgress, len(keys))
	shares := map[string][]int{} // indices of keys, by owner
	for i, k := range keys {
		owner := owners[r.engine.Partition(k)]
		if owner == "" {
			all[i].Holdup = engine.HoldupNotOwner
			continue
		}
		shares[owner] = append(shares[owner], i)
	}
	var mu sync.Mutex // guards unreachable and err
	var asked sync.WaitGroup
	for owner, indices := range shares {
		asked.Go(func() {
			some := make([]job.Key, len(indices))
			for n, i := range indices {
				some[n] = keys[i]
			}
			var answers []engine.DueProgress
			var failed error
			switch p := peers[owner]; {
			case owner == r.config.ID:
				answers, failed = r.config.Progress(ctx, some)
			case p == nil:
				failed = errNotConnected
			default:
				answers, failed = p.progress(ctx, some)
			}
			for n, i := range indices { // no two goroutines have the same
				if failed != nil {
					all[i].Holdup = engine.HoldupUnreachable
				} else {
					all[i] = answers[n]
				}
			}
			mu.Lock()
			defer mu.Unlock()
			switch {
			case failed == nil:
			case owner == r.config.ID:
				err = failed
			default:
				unreachable = append(unreachable, "nodes/"+owner)
				r.log.LogAttrs(ctx, slog.LevelDebug, "a node does not say how far its jobs have got", slog.String("peer", owner), slog.Any("err", failed))
			}
		})
	}
	asked.Wait()
	slices.Sort(unreachable)
	if err == nil {
		err = ctx.Err()
	}
	return all, unreachable, err
}

// errNotConnected says that the owner is a member that this node does not know yet.
var errNotConnected = errors.New("not connected")

// progress asks the node about jobs that it owns.
func (p *peer) progress(ctx context.Context, keys []job.Key) ([]engine.DueProgress, error) {
	ctx, cancel := context.WithTimeout(ctx, progressWait)
	defer cancel()
	var all []engine.DueProgress
	for some := range slices.Chunk(keys, maxProgress) {
		req := new(peerv1.ProgressRequest)
		for _, k := range some {
			req.Keys = append(req.Keys, record.JobKey(k))
		}
		resp, err := p.client.Progress(peerv1.WithSecret(ctx, p.node.Secret), req)
		if err != nil {
			return nil, err
		}
		if len(resp.GetJobs()) != len(some) {
			return nil, fmt.Errorf("node %s answered about %d jobs of %d", p.node.ID, len(resp.GetJobs()), len(some))
		}
		for _, j := range resp.GetJobs() {
			at := engine.DueProgress{
				Holdup: engine.Holdup(j.GetHoldup()), StoreFull: j.GetStoreFull(), Receivers: engine.Receivers(j.GetReceivers()),
			}
			if j.GetSince() != nil {
				at.Since = j.GetSince().AsTime()
			}
			all = append(all, at)
		}
	}
	return all, nil
}

// AnswerProgress tells another node how far jobs have got that this node owns.
func (r *Router) AnswerProgress(ctx context.Context, q *peerv1.ProgressRequest) (*peerv1.ProgressResponse, error) {
	if n := len(q.GetKeys()); n > maxProgress {
		return nil, status.Errorf(codes.InvalidArgument, "a request has %d keys, and at most %d are accepted", n, maxProgress)
	}
	keys := make([]job.Key, len(q.GetKeys()))
	for i, b := range q.GetKeys() {
		k, err := record.ParseJobKey(b)
		if err != nil {
			return nil, status.Error(codes.InvalidArgument, err.Error())
		}
		keys[i] = k
	}
	all, err := r.config.Progress(ctx, keys)
	if err != nil {
		return nil, err
	}
	resp := new(peerv1.ProgressResponse)
	for _, p := range all {
		j := &peerv1.JobProgress{Holdup: uint32(p.Holdup), StoreFull: p.StoreFull, Receivers: uint32(p.Receivers)}
		if !p.Since.IsZero() {
			j.Since = timestamppb.New(p.Since)
		}
		resp.Jobs = append(resp.Jobs, j)
	}
	return resp, nil
}
