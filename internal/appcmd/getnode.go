package appcmd

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"carillon/internal/command"
	"carillon/internal/exit"
	pb "carillon/internal/managementv1"
	"carillon/internal/output"
	"carillon/internal/terminal"
)

// getNodeOptions are the arguments and flags of node get.
type getNodeOptions struct {
	showOptions

	id, format string
}

func newGetNode(std *terminal.Streams) *cobra.Command {
	o := &getNodeOptions{showOptions: newShowOptions(std)}
	c := &cobra.Command{
		Use:   "get NAME",
		Short: "show a node",
		Long: `Shows what is known of a node: whether it answers, what it owns, and how its disk and its store are. NAME is its ID, such as
in 'carillon node list'.`,
		Example: `  carillon node get dapr-scheduler-server-0
  carillon node get dapr-scheduler-server-0 --output yaml`,
		Args: command.Args("the NAME of a node"),
		RunE: func(c *cobra.Command, args []string) error {
			o.id = nodeID(args[0])
			return runGetNode(c.Context(), o)
		},
	}
	c.ValidArgsFunction = o.Complete(findNodes)
	o.addFlags(c)
	output.AddOneFlag(c, &o.format)
	return c
}

// runGetNode prints the node.
func runGetNode(ctx context.Context, o *getNodeOptions) error {
	if strings.Contains(o.id, "/") {
		return exit.Usagef("node get: %q is no ID of a node: it must not have a slash", o.id)
	}
	return o.show(ctx, o.format, func(ctx context.Context, std *terminal.Streams, client pb.ManagementClient) error {
		n, err := client.GetNode(ctx, &pb.GetNodeRequest{Name: "nodes/" + o.id})
		switch {
		case status.Code(err) == codes.NotFound:
			return fmt.Errorf("node %q not found; see: carillon node list", o.id)
		case err != nil:
			return err
		}
		return output.PrintOne(std, o.format, n, nodeLines(n))
	})
}

// nodeLines returns what a person reads about a node.
func nodeLines(n *pb.Node) []output.Detail {
	all := []output.Detail{
		{Label: "Name", Value: nodeID(n.GetName())},
		{Label: "State", Value: stateWord(n)},
		{Label: "Since", Value: timeOf(n.GetSinceTime())},
		{Label: "Address", Value: n.GetAddress()},
	}
	if n.GetState() == pb.Node_LIVE {
		all = append(
			all,
			output.Detail{Label: "Version", Value: n.GetVersion()},
			output.Detail{Label: "Started", Value: timeOf(n.GetStartTime())},
			output.Detail{Label: "Partitions", Value: fmt.Sprintf("%d owned, %d being loaded", n.GetOwnedPartitionCount(), n.GetLoadingPartitionCount())},
			output.Detail{Label: "Streams", Value: n.GetStreamCount()},
			output.Detail{Label: "In flight", Value: fmt.Sprintf("%d of %d", n.GetInFlightCount(), n.GetInFlightLimit())},
			output.Detail{Label: "New jobs", Value: newJobsText(n)},
			output.Detail{Label: "Disk", Value: diskText(n.GetDisk())},
			output.Detail{Label: "Commits", Value: commitText(n.GetCommitTimes())},
			output.Detail{Label: "Memory limit", Value: sizeText(n.GetMemoryLimitBytes())},
		)
	}
	for _, note := range notesOf(n) {
		all = append(all, output.Detail{Label: "Note", Value: note})
	}
	return all
}

func newJobsText(n *pb.Node) string {
	if n.GetRefusesJobs() {
		return "refused"
	}
	return "accepted"
}

func diskText(d *pb.Disk) string {
	if d == nil {
		return ""
	}
	return fmt.Sprintf("%s free of %s", sizeText(d.GetFreeBytes()), sizeText(d.GetTotalBytes()))
}

func commitText(c *pb.CommitTimes) string {
	if c == nil {
		return ""
	}
	return fmt.Sprintf("half of the last %d took %s or less, and 99 %% took %s or less",
		c.GetCount(), durationText(c.GetP50().AsDuration()), durationText(c.GetP99().AsDuration()))
}

// findNodes returns the IDs of nodes that begin with a text.
func findNodes(ctx context.Context, client pb.ManagementClient, begin string) (ids []string, err error) {
	all, err := fetchNodes(ctx, client)
	for _, n := range all {
		if id := nodeID(n.GetName()); strings.HasPrefix(id, begin) {
			ids = append(ids, id)
		}
	}
	return ids, err
}
