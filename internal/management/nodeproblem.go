package management

import (
	"slices"

	pb "carillon/internal/managementv1"
)

// nodeProblems returns what is wrong with nodes and the store, as far as their jobs show it.
func (a *attention) nodeProblems() (all []*pb.NodeProblem) {
	for _, name := range slices.Sorted(slices.Values(a.unreachable)) {
		all = append(all, &pb.NodeProblem{
			Node: name, Reason: "NoAnswer", Message: "the node does not answer: look whether it runs, and whether the network reaches it",
		})
	}
	for _, reason := range []string{"StoreFull", "StoreNotCommitting"} {
		for _, k := range knownProblems() {
			if k.reason == reason && a.has(reason) {
				all = append(all, &pb.NodeProblem{Reason: reason, Message: k.advice})
			}
		}
	}
	return all
}

// has reports whether jobs have a problem for this reason.
func (a *attention) has(reason string) bool {
	for key := range a.groups {
		if key.reason == reason {
			return true
		}
	}
	return false
}
