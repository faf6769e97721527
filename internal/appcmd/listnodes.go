package appcmd

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"carillon/internal/command"
	pb "carillon/internal/managementv1"
	"carillon/internal/output"
	"carillon/internal/terminal"
)

// listNodesOptions are the flags of node list.
type listNodesOptions struct {
	showOptions

	format output.Format
}

func newListNodes(std *terminal.Streams) *cobra.Command {
	o := &listNodesOptions{showOptions: newShowOptions(std)}
	c := &cobra.Command{
		Use:   "list",
		Short: "list nodes",
		Long: `Lists the nodes of the cluster, or the only one. A node is live, or unreachable: a member that does not answer, or lost: a
former member that was stopped, or whose heartbeats have ended. SINCE says since when it is not live, as far as the node that
answers has seen. NOTES says what is wrong.`,
		Example: `  carillon node list
  carillon node list --output wide
  carillon node list --output json
  carillon node list --watch`,
		Args: command.Args(),
		RunE: func(c *cobra.Command, _ []string) error { return runListNodes(c.Context(), o) },
	}
	o.addFlags(c)
	output.AddFlag(c, &o.format)
	return c
}

// runListNodes prints the nodes.
func runListNodes(ctx context.Context, o *listNodesOptions) error {
	return o.show(ctx, string(o.format), func(ctx context.Context, std *terminal.Streams, client pb.ManagementClient) error {
		all, err := fetchNodes(ctx, client)
		if err != nil {
			return err
		}
		list := output.List[*pb.Node]{
			Columns: nodeColumns(), Name: (*pb.Node).GetName,
			None: "no nodes: the scheduler that answers is not a member of its cluster; look at its log",
		}
		return list.Print(std, o.format, all)
	})
}

// fetchNodes gets all nodes page by page.
func fetchNodes(ctx context.Context, client pb.ManagementClient) (all []*pb.Node, err error) {
	request := &pb.ListNodesRequest{PageSize: pageSize}
	for {
		page, err := client.ListNodes(ctx, request)
		if err != nil {
			return nil, err
		}
		all = append(all, page.GetNodes()...)
		if request.PageToken = page.GetNextPageToken(); request.GetPageToken() == "" {
			return all, nil
		}
	}
}

// nodeColumns returns the columns of a list of nodes.
func nodeColumns() []output.Column[*pb.Node] {
	return []output.Column[*pb.Node]{
		{Header: "NAME", Value: func(n *pb.Node) any { return nodeID(n.GetName()) }},
		{Header: "STATE", Value: func(n *pb.Node) any { return stateWord(n) }},
		{Header: "SINCE", Value: func(n *pb.Node) any { return timeOf(n.GetSinceTime()) }},
		{Header: "STARTED", Value: func(n *pb.Node) any { return timeOf(n.GetStartTime()) }},
		{Header: "PARTITIONS", Value: func(n *pb.Node) any { return ifLive(n, n.GetOwnedPartitionCount()) }},
		{Header: "STREAMS", Value: func(n *pb.Node) any { return ifLive(n, n.GetStreamCount()) }},
		{Header: "IN FLIGHT", Value: func(n *pb.Node) any { return ifLive(n, n.GetInFlightCount()) }},
		{Header: "COMMIT P99", Value: func(n *pb.Node) any { return durationText(n.GetCommitTimes().GetP99().AsDuration()) }},
		{Header: "DISK FREE", Value: func(n *pb.Node) any { return sizeText(n.GetDisk().GetFreeBytes()) }},
		{Header: "LOADING", Value: func(n *pb.Node) any { return ifLive(n, n.GetLoadingPartitionCount()) }, Wide: true},
		{Header: "IN FLIGHT LIMIT", Value: func(n *pb.Node) any { return ifLive(n, n.GetInFlightLimit()) }, Wide: true},
		{Header: "COMMIT P50", Value: func(n *pb.Node) any { return durationText(n.GetCommitTimes().GetP50().AsDuration()) }, Wide: true},
		{Header: "DISK SIZE", Value: func(n *pb.Node) any { return sizeText(n.GetDisk().GetTotalBytes()) }, Wide: true},
		{Header: "MEMORY LIMIT", Value: func(n *pb.Node) any { return sizeText(n.GetMemoryLimitBytes()) }, Wide: true},
		{Header: "ADDRESS", Value: func(n *pb.Node) any { return n.GetAddress() }, Wide: true},
		{Header: "VERSION", Value: func(n *pb.Node) any { return n.GetVersion() }, Wide: true},
		// The last one: a terminal cuts it.
		{Header: "NOTES", Value: func(n *pb.Node) any { return strings.Join(notesOf(n), "; ") }},
	}
}

// ifLive returns a number that a node says, or nothing if it says nothing.
func ifLive(n *pb.Node, number uint32) any {
	if n.GetState() != pb.Node_LIVE {
		return ""
	}
	return number
}

// stateWord returns the state of a node in lower case.
func stateWord(n *pb.Node) string { return strings.ToLower(n.GetState().String()) }

// notesOf returns what is wrong with a node.
func notesOf(n *pb.Node) (all []string) {
	if n.GetMessage() != "" {
		all = append(all, n.GetMessage())
	}
	if n.GetOverloaded() {
		all = append(all, "it has more work than it can do, and triggers wait for their turn")
	}
	return append(all, n.GetProblems()...)
}
