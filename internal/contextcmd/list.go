package contextcmd

import (
	"github.com/spf13/cobra"

	"carillon/internal/command"
	"carillon/internal/connect"
	"carillon/internal/output"
	"carillon/internal/terminal"
)

// listOptions are the flags of context list.
type listOptions struct {
	std    *terminal.Streams
	format output.Format
}

// listed is a context as it is printed.
type listed struct {
	connect.Context

	Current bool `json:"current"`
}

func newList(std *terminal.Streams) *cobra.Command {
	o := &listOptions{std: std}
	c := &cobra.Command{
		Use:   "list",
		Short: "list all contexts",
		Long:  "Lists all contexts, and says which is the current one.",
		Example: `  carillon context list
  carillon context list --output json`,
		Args: command.Args(),
		RunE: func(*cobra.Command, []string) error { return runList(o) },
	}
	output.AddFlag(c, &o.format)
	return c
}

// runList prints all contexts.
func runList(o *listOptions) error {
	path, err := connect.ContextsPath(o.std.Env)
	if err != nil {
		return err
	}
	read, err := connect.ReadContexts(path)
	if err != nil {
		return err
	}
	var all []listed
	for _, c := range read.All {
		all = append(all, listed{c, c.Name == read.Current})
	}
	list := output.List[listed]{
		Columns: []output.Column[listed]{
			{Header: "NAME", Value: func(c listed) any { return c.Name }},
			{Header: "CURRENT", Value: func(c listed) any { return c.Current }},
			{Header: "SERVER", Value: func(c listed) any { return c.Server }},
			{Header: "TOKEN FILE", Value: func(c listed) any { return c.TokenFile }, Wide: true},
			{Header: "CA FILE", Value: func(c listed) any { return c.CAFile }, Wide: true},
		},
		Name: func(c listed) string { return c.Name },
		None: "no contexts; add one with carillon context add",
	}
	return list.Print(o.std, o.format, all)
}
