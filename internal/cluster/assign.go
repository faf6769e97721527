package cluster

import (
	"cmp"
	"slices"
)

// Assign returns the owner of each partition, given the owners so far and the IDs of the members. It moves as few
// partitions as can be, and no member gets more than one more than another. An owner that is no member has none in the
// end. The answer does not depend on the order of members, and is empty if there are none.
func Assign(owners, members []string) []string {
	next := make([]string, len(owners))
	if len(members) == 0 {
		return next
	}
	members = slices.Compact(slices.Sorted(slices.Values(members)))
	has := make(map[string]int, len(members))
	for _, o := range owners {
		has[o]++
	}
	// Those who have the most keep the larger shares.
	slices.SortStableFunc(members, func(a, b string) int { return cmp.Compare(has[b], has[a]) })
	room := make(map[string]int, len(members))
	for i, m := range members {
		room[m] = len(owners) / len(members)
		if i < len(owners)%len(members) {
			room[m]++
		}
	}
	for p, o := range owners { // everyone keeps what there is room for
		if room[o] > 0 {
			next[p] = o
			room[o]--
		}
	}
	for p := range next { // the rest goes round
		for next[p] == "" {
			m := members[len(members)-1]
			if room[m] == 0 {
				members = members[:len(members)-1]
				continue
			}
			next[p] = m
			room[m]--
		}
	}
	return next
}
