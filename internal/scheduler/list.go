package scheduler

import (
	"context"
	"fmt"
	"math"
	"time"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	protobuf "google.golang.org/protobuf/proto"

	"carillon/internal/limits"
	"carillon/internal/wire"
)

// An encodedList is a ListJobsResponse in its encoding, piece by piece. A list may be large: as messages, which are then
// encoded as a whole, it would be in memory twice, and the messages are several times the size.
type encodedList struct {
	of     *lists
	pieces mem.BufferSlice
	bytes  int
	held   int64 // of the budget, in pieces or not
	taken  int64 // of that, what is not in pieces
	share  bool  // it has a share
	grows  bool  // it is the one list that grows
}

// pieceBytes is when a piece is full.
const pieceBytes = 256 << 10

// listWait is how long a list waits for others to end, at most.
const listWait = 10 * time.Second

// listShare is what a list takes of the budget to begin with, at most: what it reads at a time, and its first pieces. What
// comes on top it takes in steps, of half of that.
const listShare = 8 << 20

// lists bounds the memory of lists from when they begin until they are sent. One list at a time has more than its share
// while it is put together, so that no two wait for one another. Shares are half of the budget at most, so that a list can
// have the other half, or all if it is alone, but for one share that it leaves to a small list.
type lists struct {
	budget *limits.Budget
	shares *limits.Budget // the half of budget that shares may have
	grow   chan struct{}  // holds a token while a list grows
	share  int64          // of each list
	step   int64
}

func newLists(bytes int64) *lists {
	bytes = max(bytes, minListBytes)
	share := min(listShare, bytes/4)
	return &lists{
		budget: limits.NewBudget(bytes), shares: limits.NewBudget(bytes / 2), grow: make(chan struct{}, 1), share: share, step: share / 2,
	}
}

// minListBytes is the least that lists have.
const minListBytes = 16 << 20

// list answers ListJobs: all jobs of an app, or all reminders of an actor or an actor type, in one message.
func (s *Service) list(ctx context.Context, req *schedulerv1.ListJobsRequest) (_ *encodedList, err error) {
	p, err := wire.Prefix(req.GetMetadata())
	if err != nil {
		return nil, s.metrics.refused(err)
	}
	l := &encodedList{of: s.lists}
	defer func() {
		l.end()
		if err != nil {
			l.pieces.Free()
		}
	}()
	if err := l.take(ctx, l.of.share); err != nil {
		return nil, err
	}
	piece := make([]byte, 0, pieceBytes/16)
	var listing wire.Listing
	for item, err := range s.jobs.List(ctx, p) {
		if err == nil {
			piece, err = appendItem(piece, listing.NamedJob(item))
		}
		if err != nil {
			return nil, fmt.Errorf("list jobs: %w", err)
		}
		if len(piece) >= pieceBytes {
			if err := l.add(ctx, piece); err != nil {
				return nil, err
			}
			piece = make([]byte, 0, len(piece)+len(piece)/8)
		}
	}
	return l, l.add(ctx, piece)
}

// appendItem appends an entry of ListJobsResponse.jobs, field 1.
func appendItem(b []byte, m *schedulerv1.NamedJob) ([]byte, error) {
	b = protowire.AppendTag(b, 1, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(protobuf.Size(m)))
	return protobuf.MarshalOptions{UseCachedSize: true}.MarshalAppend(b, m)
}

// add appends a piece, unless that would make more than a message may have, or there is no room.
func (l *encodedList) add(ctx context.Context, piece []byte) error {
	if l.bytes += len(piece); l.bytes > math.MaxInt32 {
		return status.Errorf(codes.ResourceExhausted, "the jobs take more than the %d bytes of one message: list fewer", math.MaxInt32)
	}
	for l.taken < int64(cap(piece))+l.of.step { // what is being read is in memory, too
		if err := l.take(ctx, l.of.step); err != nil {
			return err
		}
	}
	l.taken -= int64(cap(piece))
	l.pieces = append(l.pieces, mem.NewBuffer(&piece, sent{l.of.budget}))
	return nil
}

// take takes bytes of the budget. It waits for other lists to end, but not for long.
func (l *encodedList) take(ctx context.Context, bytes int64) error {
	waiting, cancel := context.WithTimeout(ctx, listWait)
	defer cancel()
	limit := l.of.budget.Max()
	if !l.share {
		l.share = l.of.shares.AcquireWithin(waiting, l.of.share, limit)
	} else {
		limit -= l.of.share
		if l.held+bytes > limit { // however long it waits
			return status.Errorf(codes.ResourceExhausted,
				"list jobs: the list has more than %d bytes, and may take %d: list fewer, by a prefix, or raise the memory limit", l.bytes, limit)
		}
		l.grows = l.grows || enter(waiting, l.of.grow)
	}
	if (l.grows || l.share && l.taken == 0) && l.of.budget.AcquireWithin(waiting, bytes, limit) {
		l.taken, l.held = l.taken+bytes, l.held+bytes
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return status.Errorf(codes.ResourceExhausted,
		"list jobs: other lists use the memory for lists, %d bytes, and this one has %d so far: try again later, or list fewer, by a prefix",
		l.of.budget.Max(), l.bytes)
}

// enter puts a token into c, and reports whether ctx lasted that long.
func enter(ctx context.Context, c chan<- struct{}) bool {
	select {
	case c <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

// end gives back what is not in pieces: nothing is added any more.
func (l *encodedList) end() {
	l.of.budget.Release(l.taken)
	l.taken = 0
	if l.share {
		l.of.shares.Release(l.of.share)
	}
	if l.grows {
		<-l.of.grow
	}
}

// sent is where the pieces of lists end when they have been sent.
type sent struct{ budget *limits.Budget }

// Get implements [mem.BufferPool].
func (sent) Get(length int) *[]byte { return new(make([]byte, length)) }

// Put implements [mem.BufferPool].
func (s sent) Put(piece *[]byte) { s.budget.Release(int64(cap(*piece))) }
