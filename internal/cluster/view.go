package cluster

import (
	"cmp"
	"slices"
)

// A Node is a member of a cluster.
type Node struct {
	// ID is unique among the members.
	ID string
	// Addr is the address at which others reach the node.
	Addr string
	// Secret authenticates other nodes to this one. It must not reach clients or the log.
	Secret string
	// Format is the newest record format that the node reads. A node that does not say reads only
	// the first, 1.
	Format int
}

// A View is the members of a cluster at one moment, and the assignment of partitions to them.
type View struct {
	// Members are in the order of their IDs.
	Members []Node
	// Owners is the ID of the member that each partition is assigned to. The member may become the
	// owner later, or may have been the owner before.
	Owners []string
}

// Oldest returns the member that reads the fewest record formats; ok is false if there are no members.
func (v View) Oldest() (oldest Node, ok bool) {
	for _, n := range v.Members {
		if !ok || n.Format < oldest.Format {
			oldest, ok = n, true
		}
	}
	return oldest, ok
}

// Place returns the index of a member in the ascending list of the members' addresses, and the
// number of members; ok is false if there is no member with that ID. Nodes with the same view
// divide work by it in the same way. Members with equal addresses are in the order of their IDs.
func (v View) Place(id string) (index, of int, ok bool) {
	at := slices.IndexFunc(v.Members, func(n Node) bool { return n.ID == id })
	if at < 0 {
		return 0, len(v.Members), false
	}
	for i, n := range v.Members {
		if c := cmp.Compare(n.Addr, v.Members[at].Addr); c < 0 || c == 0 && i < at {
			index++
		}
	}
	return index, len(v.Members), true
}
