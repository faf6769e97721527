package scheduler

import (
	"bytes"
	"context"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc/peer"

	"carillon/internal/engine/record"
	"carillon/internal/job"
)

// A ConnectedStream is an open stream of a sidecar.
type ConnectedStream struct {
	AppID   string // of the sidecar
	Address string // of the sidecar; empty if it is part of this process
	Since   time.Time
}

// A streamList has the open streams by target. It is safe for concurrent use.
type streamList struct {
	mu    sync.Mutex // guards the fields below
	count int
	of    map[job.Target][]*ConnectedStream // in the order in which they connected; never empty
}

func newStreamList() *streamList { return &streamList{of: map[job.Target][]*ConnectedStream{}} }

// add adds a stream, which serves these targets, and returns the function that removes it.
func (l *streamList) add(s *ConnectedStream, targets []job.Target) (remove func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.count++
	for _, t := range targets {
		if n := len(l.of[t]); n == 0 || l.of[t][n-1] != s { // a sidecar may name a target twice
			l.of[t] = append(l.of[t], s)
		}
	}
	return func() { l.remove(s, targets) }
}

func (l *streamList) remove(s *ConnectedStream, targets []job.Target) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.count--
	for _, t := range targets {
		rest := slices.DeleteFunc(l.of[t], func(other *ConnectedStream) bool { return other == s })
		if l.of[t] = rest; len(rest) == 0 {
			delete(l.of, t)
		}
	}
}

// first returns the first streams of a target, limit at most, and how many there are.
func (l *streamList) first(t job.Target, limit int) (some []ConnectedStream, count int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := l.of[t]
	for _, s := range all[:min(limit, len(all))] {
		some = append(some, *s)
	}
	return some, len(all)
}

// targets returns the first targets after one that have a stream and that s selects by kind,
// namespace and target, in the order of their keys; the zero target is before all.
func (l *streamList) targets(s job.Selector, after job.Target, limit int) (all []job.Target, more bool) {
	var begin []byte
	if after != (job.Target{}) {
		begin = record.TargetKey(after)
	}
	var keys [][]byte
	l.mu.Lock()
	for t := range l.of {
		if !s.Selects(job.Key{Target: t}) {
			continue
		}
		if k := record.TargetKey(t); bytes.Compare(k, begin) > 0 {
			keys = append(keys, k)
		}
	}
	l.mu.Unlock()
	slices.SortFunc(keys, bytes.Compare)
	more = len(keys) > limit
	for _, k := range keys[:min(limit, len(keys))] {
		if t, err := record.ParseTarget(k); err == nil {
			all = append(all, t)
		}
	}
	return all, more
}

// size returns how many streams are open.
func (l *streamList) size() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.count
}

// addressOf returns the network address of the client of a call, or nothing if it is part of this
// process.
func addressOf(ctx context.Context) string {
	if p, ok := peer.FromContext(ctx); ok && p.Addr != nil && p.Addr.Network() == "tcp" {
		return p.Addr.String()
	}
	return ""
}
