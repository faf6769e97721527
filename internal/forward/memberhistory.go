package forward

import (
	"maps"
	"slices"
	"time"

	"carillon/internal/cluster"
)

// maxLost is how many former members a memberHistory remembers.
const maxLost = 100

// A memberHistory is what a node has seen of the members of its cluster since it started.
type memberHistory struct {
	joined  bool                 // the node is a member itself
	members []cluster.Node       // while the node is no member: those that it saw last
	lost    map[string]lostNode  // former members, by ID
	silent  map[string]time.Time // members that did not answer when they were asked last, and since when
}

// A lostNode is a node that was a member, and since when it is none.
type lostNode struct {
	node  cluster.Node
	since time.Time
}

func newMemberHistory() memberHistory {
	return memberHistory{lost: map[string]lostNode{}, silent: map[string]time.Time{}}
}

// follow notes a new view of the cluster at now.
func (h *memberHistory) follow(v cluster.View, now time.Time) {
	if h.joined = len(v.Members) > 0; !h.joined {
		return // this node is lost, and does not know about the others
	}
	for _, was := range h.members {
		if !slices.ContainsFunc(v.Members, func(n cluster.Node) bool { return n.ID == was.ID }) {
			h.lost[was.ID] = lostNode{was, now}
			delete(h.silent, was.ID)
		}
	}
	for _, n := range v.Members {
		delete(h.lost, n.ID)
	}
	h.members = v.Members
	for len(h.lost) > maxLost {
		oldest := slices.MinFunc(slices.Collect(maps.Values(h.lost)), func(a, b lostNode) int { return a.since.Compare(b.since) })
		delete(h.lost, oldest.node.ID)
	}
}

// noteAnswer notes whether a member has answered at now, and returns since when it has not.
func (h *memberHistory) noteAnswer(id string, answered bool, now time.Time) (since time.Time) {
	if answered {
		delete(h.silent, id)
		return time.Time{}
	}
	if h.silent[id].IsZero() {
		h.silent[id] = now
	}
	return h.silent[id]
}
