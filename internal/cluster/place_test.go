package cluster_test

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"testing"

	"carillon/internal/cluster"
)

func TestPlaceIsByAddress(t *testing.T) {
	v := cluster.View{Members: []cluster.Node{
		{ID: "a", Addr: "10.0.0.9:50006"}, {ID: "b", Addr: "10.0.0.10:50006"}, {ID: "c", Addr: "one"}, {ID: "d", Addr: "one"},
	}}
	for id, want := range map[string]int{"b": 0, "a": 1, "c": 2, "d": 3} {
		if got, of, ok := v.Place(id); got != want || of != 4 || !ok {
			t.Errorf("node %s has place %d of %d, %t; want %d of 4", id, got, of, ok, want)
		}
	}
	if _, _, ok := v.Place("e"); ok {
		t.Error("who is no member has a place")
	}
}

// Places are of each node, as its latest view has them: "0 of 3".
type places struct {
	mu sync.Mutex // guards the field below
	of map[string]string
}

// run has a node follow the members until stop has returned.
func (p *places) run(w *world, id, addr string) (stop func()) {
	w.t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(w.t.Context()))
	ended, c := make(chan struct{}), w.coordinator(id)
	go func() {
		defer close(ended)
		_ = cluster.Run(ctx, cluster.Config{
			Node:         cluster.Node{ID: id, Addr: addr},
			RunPartition: func(ctx context.Context, _ int, _ cluster.Claim) { <-ctx.Done() },
			OnView: func(v cluster.View) {
				if index, of, ok := v.Place(id); ok {
					p.mu.Lock()
					defer p.mu.Unlock()
					p.of[id] = fmt.Sprintf("%d of %d", index, of)
				}
			},
		}, c, w.log)
	}()
	stop = func() { cancel(); <-ended }
	w.t.Cleanup(stop)
	return stop
}

// want waits until all nodes have these places.
func (p *places) want(t *testing.T, want map[string]string) {
	t.Helper()
	eventually(t, func() error {
		p.mu.Lock()
		defer p.mu.Unlock()
		if !maps.Equal(p.of, want) {
			return fmt.Errorf("the places are %v, want %v", p.of, want)
		}
		return nil
	})
}

func TestPlacesFollowMembership(t *testing.T) {
	inBoth(t, func(t *testing.T, w *world) {
		p := &places{of: map[string]string{}}
		p.run(w, "a", "z:1")
		p.want(t, map[string]string{"a": "0 of 1"})
		stop := p.run(w, "b", "y:1")
		p.want(t, map[string]string{"a": "1 of 2", "b": "0 of 2"})
		p.run(w, "c", "x:1")
		p.want(t, map[string]string{"a": "2 of 3", "b": "1 of 3", "c": "0 of 3"})
		stop()
		p.want(t, map[string]string{"a": "1 of 2", "b": "1 of 3", "c": "0 of 2"}) // who leaves keeps its share
	})
}
