package membercmd

import (
	"context"

	"github.com/spf13/cobra"

	"carillon/internal/command"
	"carillon/internal/output"
	"carillon/internal/store/etcdmember"
	"carillon/internal/terminal"
)

// listOptions are the flags of member list.
type listOptions struct {
	std    *terminal.Streams
	etcd   string
	format output.Format
}

func newList(std *terminal.Streams) *cobra.Command {
	o := &listOptions{std: std}
	c := &cobra.Command{
		Use:   "list",
		Short: "list the schedulers of a cluster, and which of them answer",
		Long:  "Lists the schedulers of a cluster: where the others find each, which one leads, and whether it answers.",
		Example: `  carillon member list
  carillon member list --etcd http://localhost:2379 --output json`,
		Args: command.Args(),
		RunE: func(c *cobra.Command, _ []string) error { return runList(c.Context(), o) },
	}
	addEtcdFlag(c.Flags(), &o.etcd)
	output.AddFlag(c, &o.format)
	return c
}

// runList prints the members of the cluster.
func runList(ctx context.Context, o *listOptions) error {
	all, err := etcdmember.Members(ctx, o.etcd)
	if err != nil {
		return err
	}
	return members().Print(o.std, o.format, all)
}

// members returns how members are printed.
func members() *output.List[etcdmember.MemberStatus] {
	return &output.List[etcdmember.MemberStatus]{
		Columns: []output.Column[etcdmember.MemberStatus]{
			{Header: "NAME", Value: func(m etcdmember.MemberStatus) any { return m.Name }},
			{Header: "PEERS", Value: func(m etcdmember.MemberStatus) any { return m.Peers }},
			{Header: "LEADS", Value: func(m etcdmember.MemberStatus) any { return m.Leader }},
			{Header: "ANSWERS", Value: func(m etcdmember.MemberStatus) any { return m.Answer }},
		},
		Name: func(m etcdmember.MemberStatus) string { return m.Name },
		None: "no members",
	}
}
