package scheduler

import (
	"slices"
	"testing"

	"carillon/internal/job"
)

func TestStreamListHasOpenStreams(t *testing.T) {
	l := newStreamList()
	app := job.Target{Kind: job.App, Namespace: "ns", Name: "a"}
	other := job.Target{Kind: job.App, Namespace: "ns2", Name: "a"}
	actor := job.Target{Kind: job.Actor, Namespace: "ns", Name: "T"}
	first, second := &ConnectedStream{AppID: "a", Address: "1"}, &ConnectedStream{AppID: "a", Address: "2"}
	removeFirst := l.add(first, []job.Target{app, actor, app})
	removeSecond := l.add(second, []job.Target{app})
	removeOther := l.add(&ConnectedStream{}, []job.Target{other})
	if some, n := l.first(app, 1); n != 2 || !slices.Equal(some, []ConnectedStream{*first}) {
		t.Errorf("the first stream of the app: %v of %d, want %v of 2", some, n, first)
	}
	for _, c := range []struct {
		s     job.Selector
		after job.Target
		limit int
		want  []job.Target
		more  bool
	}{
		{limit: 5, want: []job.Target{app, other, actor}},
		{limit: 2, want: []job.Target{app, other}, more: true},
		{limit: 2, after: other, want: []job.Target{actor}},
		{limit: 3, after: actor},
		{limit: 3, s: job.Selector{Kind: job.Actor}, want: []job.Target{actor}},
		{limit: 3, s: job.Selector{Namespace: "ns"}, want: []job.Target{app, actor}},
		{limit: 3, s: job.Selector{Target: "T"}, want: []job.Target{actor}},
	} {
		if got, more := l.targets(c.s, c.after, c.limit); !slices.Equal(got, c.want) || more != c.more {
			t.Errorf("%+v: %v, more %v", c, got, more)
		}
	}
	removeFirst()
	if some, n := l.first(app, 5); n != 1 || some[0] != *second || l.size() != 2 {
		t.Errorf("after the first has closed: %v of %d, and %d in all, want %v", some, n, l.size(), second)
	}
	removeSecond()
	removeOther()
	if all, _ := l.targets(job.Selector{}, job.Target{}, 5); len(all) > 0 || l.size() > 0 || len(l.of) > 0 {
		t.Errorf("after all have closed: %v, %d streams, %d targets in memory", all, l.size(), len(l.of))
	}
}
