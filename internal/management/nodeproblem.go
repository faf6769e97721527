package management

import (
	"slices"

	pb "carillon/internal/managementv1"
)

// nodeProblems returns what is wrong with nodes and the store, as far as the problems of jobs and the
// nodes that did not answer show it.
func nodeProblems(groups problemGroups, unreachable []string) (all []*pb.NodeProblem) {
	for _, name := range slices.Sorted(slices.Values(unreachable)) {
		all = append(all, &pb.NodeProblem{
			Node: name, Reason: "NoAnswer", Message: "the node does not answer: look whether it runs, and whether the network reaches it",
		})
	}
	for _, reason := range []string{"StoreFull", "StoreNotCommitting"} {
		for _, k := range knownProblems() {
			if k.reason == reason && groups.has(reason) {
				all = append(all, &pb.NodeProblem{Reason: reason, Message: k.advice})
			}
		}
	}
	return all
}
