package dispatch_test

import (
	"fmt"
	"slices"
	"testing"

	"carillon/internal/dispatch"
	"carillon/internal/job"
)

// out returns how many of n triggers are sent at once under a limit of most.
func out(t *testing.T, most, n int, share dispatch.Share) int {
	t.Helper()
	d := dispatch.New(dispatch.Config{})
	d.SetShare(share)
	s := d.Connect([]job.Target{actor("T")}, limit(actor("T"), most))
	defer s.Close()
	for range n {
		mustAccept(t, d, trigger(actor("T"), "x"), ignore)
	}
	return d.Stats().InFlight - d.Stats().Held
}

func TestLimitIsSplitOverTheNodes(t *testing.T) {
	for _, tt := range []struct {
		limit int
		want  []int // of each node, in the order of their addresses
	}{
		{6, []int{6}},
		{1, []int{1}},
		{6, []int{3, 3}},
		{7, []int{4, 3}},
		{6, []int{2, 2, 2}},
		{7, []int{3, 2, 2}},
		{8, []int{3, 3, 2}},
		{3, []int{1, 1, 1}},
		{2, []int{1, 1, 1}}, // the sum may be more
		{1, []int{1, 1, 1}},
		{4, []int{1, 1, 1, 1, 1}},
	} {
		var got []int
		for i := range tt.want {
			got = append(got, out(t, tt.limit, 10, dispatch.Share{Nodes: len(tt.want), Index: i}))
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("of a limit of %d the nodes grant %v, want %v", tt.limit, got, tt.want)
		}
	}
}

func TestLimitIsWholeWithoutCluster(t *testing.T) {
	w := newWorker(t, dispatch.Config{})
	s := w.d.Connect([]job.Target{actor("T")}, limit(actor("T"), 2))
	defer s.Close()
	w.deliver(actor("T"), "-1", "-2", "-3")
	w.want(s, "-1", "-2")
}

func TestOpenStreamsFollowClusterSize(t *testing.T) {
	w := newWorker(t, dispatch.Config{})
	w.d.SetShare(dispatch.Share{Nodes: 2, Index: 0})
	s := w.d.Connect([]job.Target{actor("T")}, limit(actor("T"), 6), limitKey(actor("T"), "x", 2))
	defer s.Close()
	w.deliver(actor("T"), "x1", "x2", "-1", "-2", "-3", "-4", "-5", "-6", "-7", "-8")
	w.want(s, "x1", "-1", "-2") // half of 6, and half of 2
	w.d.SetShare(dispatch.Share{Nodes: 1})
	w.want(s, "x2", "-3", "-4") // the other node has left
	w.d.SetShare(dispatch.Share{Nodes: 3, Index: 2})
	w.want(s)
	// Two more were delivered: six are in flight, and the limit is two.
	for _, name := range []string{"x1", "-1", "-2", "-3"} {
		w.settle(s, name)
		w.want(s)
	}
	w.settle(s, "-4")
	w.want(s, "-5")
	w.settle(s, "x2")
	w.want(s, "-6")
}

func TestShareOfEveryTypeChanges(t *testing.T) {
	w := newWorker(t, dispatch.Config{})
	w.d.SetShare(dispatch.Share{Nodes: 2, Index: 1})
	var streams []*dispatch.Stream
	for i := range 3 {
		target := actor(fmt.Sprint("T", i))
		s := w.d.Connect([]job.Target{target}, limit(target, 2))
		streams = append(streams, s)
		w.deliver(target, fmt.Sprint("a", i), fmt.Sprint("b", i))
	}
	w.d.SetShare(dispatch.Share{Nodes: 1})
	if got := w.d.Stats(); got.Held != 0 || got.InFlight != 6 {
		t.Errorf("%+v, want none held and 6 in flight", got)
	}
	for _, s := range streams {
		s.Close()
	}
}
