package cluster_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"carillon/internal/cluster"
)

// fewest returns how many partitions have to move at least so that the members have equal shares, but for one. It tries
// every way to give out the larger shares, by what each would save.
func fewest(owners, members []string) int {
	has := map[string]int{}
	for _, o := range owners {
		has[o]++
	}
	share, larger := len(owners)/len(members), len(owners)%len(members)
	kept, saves := 0, 0
	for _, m := range members {
		kept += min(has[m], share)
		if has[m] > share {
			saves++
		}
	}
	return len(owners) - kept - min(saves, larger)
}

func TestAssignmentIsBalancedAndStable(t *testing.T) {
	seed := rand.Uint64()
	rnd := rand.New(rand.NewPCG(seed, 0))
	t.Logf("seed %d", seed)
	for range 50 {
		owners := make([]string, rnd.IntN(100))
		var members []string
		for range 20 { // members come and go
			if len(members) == 0 || rnd.IntN(2) == 0 {
				members = append(members, fmt.Sprintf("node-%d", rnd.IntN(12)))
				slices.Sort(members)
				members = slices.Compact(members)
			} else if i := rnd.IntN(len(members)); len(members) > 1 {
				members = slices.Delete(members, i, i+1)
			}
			next := cluster.Assign(owners, members)
			check(t, owners, members, next)
			shuffled := slices.Clone(members)
			rnd.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
			if again := cluster.Assign(owners, shuffled); !slices.Equal(again, next) {
				t.Fatalf("with the members as %v:\n%v, want\n%v", shuffled, again, next)
			}
			if again := cluster.Assign(next, members); !slices.Equal(again, next) {
				t.Fatalf("the same members again move partitions:\n%v, want\n%v", again, next)
			}
			owners = next
		}
	}
}

func check(t *testing.T, owners, members, next []string) {
	t.Helper()
	moved, counts := 0, map[string]int{}
	for p, o := range next {
		if !slices.Contains(members, o) {
			t.Fatalf("partition %d is given to %q, which is none of %v", p, o, members)
		}
		if counts[o]++; o != owners[p] {
			moved++
		}
	}
	least, most := len(next), 0
	for _, m := range members {
		least, most = min(least, counts[m]), max(most, counts[m])
	}
	if most-least > 1 {
		t.Fatalf("the members have %v", counts)
	}
	if want := fewest(owners, members); moved != want {
		t.Fatalf("%d partitions move, want %d\nfrom %v\nto   %v", moved, want, owners, next)
	}
}

func TestAssignmentWithoutMembersIsEmpty(t *testing.T) {
	if diff := cmp.Diff([]string{"", ""}, cluster.Assign([]string{"a", ""}, nil)); diff != "" {
		t.Error(diff)
	}
}
