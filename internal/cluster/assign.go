package cluster

import (
	"cmp"
	"slices"
)

// Assign returns the owner of each partition, given the previous owners and the IDs of the members.
// It moves as few partitions as possible, and no member gets more than one partition more than
// another. The result does not depend on the order of members, and is empty without members.
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
	// The members with the most partitions keep the larger shares.
	slices.SortStableFunc(members, func(a, b string) int { return cmp.Compare(has[b], has[a]) })
	quota := make(map[string]int, len(members))
	for i, m := range members {
		quota[m] = len(owners) / len(members)
		if i < len(owners)%len(members) {
			quota[m]++
		}
	}
	for p, o := range owners { // each member keeps partitions up to its quota
		if quota[o] > 0 {
			next[p] = o
			quota[o]--
		}
	}
	for p := range next { // the others go to the members below their quota
		for next[p] == "" {
			m := members[len(members)-1]
			if quota[m] == 0 {
				members = members[:len(members)-1]
				continue
			}
			next[p] = m
			quota[m]--
		}
	}
	return next
}
