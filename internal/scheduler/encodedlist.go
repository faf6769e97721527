package scheduler

import (
	"context"
	"errors"
	"math"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"
)

// An encodedList is an encoded ListJobsResponse, in pieces. A list may be large. As messages, which
// are encoded as a whole, it would be in memory twice, and the messages are several times as large.
type encodedList struct {
	of       *listBudget
	pieces   mem.BufferSlice
	bytes    int
	acquired int64 // bytes of the budget, in pieces or not
	spare    int64 // acquired bytes that are not in pieces
	hasShare bool
	growing  bool // it has the token of the growing list
}

// errOutgrown is the error of a list that needs more than its share while another list grows.
var errOutgrown = errors.New("the list needs more than its share")

// pieceBytes is the size at which a piece is complete.
const pieceBytes = 256 << 10

// add appends a piece. It returns an error if the list would exceed the size of a message, or its
// memory.
func (l *encodedList) add(ctx context.Context, piece []byte) error {
	if l.bytes += len(piece); l.bytes > math.MaxInt32 {
		return status.Errorf(codes.ResourceExhausted, "the jobs take more than the %d bytes of one message: list fewer", math.MaxInt32)
	}
	for l.spare < int64(cap(piece))+l.of.step { // the step is for the items that are being read
		if err := l.acquire(ctx, l.of.step); err != nil {
			return err
		}
	}
	l.spare -= int64(cap(piece))
	l.pieces = append(l.pieces, mem.NewBuffer(&piece, releasingPool{l.of.budget}))
	return nil
}

// grow acquires the token of the growing list. It waits for another list that grows, for listWait
// at most.
func (l *encodedList) grow(ctx context.Context) error {
	waiting, cancel := context.WithTimeout(ctx, listWait)
	defer cancel()
	if l.growing = acquireToken(waiting, l.of.grow); l.growing {
		return nil
	}
	return l.noMemory(ctx)
}

// acquire acquires bytes of the budget. It waits for other lists to end, for listWait at most. It
// returns errOutgrown if the list must give back what it has before it waits: the list that grows
// may need that.
func (l *encodedList) acquire(ctx context.Context, bytes int64) error {
	waiting, cancel := context.WithTimeout(ctx, listWait)
	defer cancel()
	limit := l.of.budget.Max()
	if !l.hasShare {
		if l.hasShare = l.of.shares.AcquireWithin(waiting, l.of.share, limit); !l.hasShare {
			return l.noMemory(ctx)
		}
	} else {
		limit -= l.of.share
		if l.acquired+bytes > limit { // waiting would not help
			return status.Errorf(codes.ResourceExhausted,
				"list jobs: the list has more than %d bytes, and may take %d: list fewer, by a prefix, or raise the memory limit", l.bytes, limit)
		}
		if !l.growing {
			select {
			case l.of.grow <- struct{}{}:
				l.growing = true
			default:
				return errOutgrown
			}
		}
	}
	if !l.of.budget.AcquireWithin(waiting, bytes, limit) {
		return l.noMemory(ctx)
	}
	l.spare, l.acquired = l.spare+bytes, l.acquired+bytes
	return nil
}

// noMemory returns the error of a list that has waited in vain.
func (l *encodedList) noMemory(ctx context.Context) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return status.Errorf(codes.ResourceExhausted,
		"list jobs: other lists use the memory for lists, %d bytes, and this one has %d so far: try again later, or list fewer, by a prefix",
		l.of.budget.Max(), l.bytes)
}

// finish releases the spare bytes when the list is complete.
func (l *encodedList) finish() {
	l.of.budget.Release(l.spare)
	l.spare = 0
	if l.hasShare {
		l.of.shares.Release(l.of.share)
	}
	if l.growing {
		<-l.of.grow
	}
}
