package contextcmd

import (
	"fmt"

	"github.com/spf13/cobra"

	"carillon/internal/command"
	"carillon/internal/connect"
	"carillon/internal/terminal"
)

// useOptions are the arguments of context use.
type useOptions struct {
	std  *terminal.Streams
	name string
}

func newUse(std *terminal.Streams) *cobra.Command {
	o := &useOptions{std: std}
	return &cobra.Command{
		Use:               "use NAME",
		Short:             "make a context the current one",
		Long:              "Makes a context the current one: commands use its server unless a flag or a running carillon dev names another.",
		Example:           "  carillon context use prod",
		Args:              command.Args("the NAME of a context"),
		ValidArgsFunction: names(std),
		RunE: func(_ *cobra.Command, args []string) error {
			o.name = args[0]
			return runUse(o)
		},
	}
}

// runUse makes the context the current one.
func runUse(o *useOptions) error {
	if err := change(o.std, func(all *connect.Contexts) error { return all.Use(o.name) }); err != nil {
		return err
	}
	_, err := fmt.Fprintf(o.std.Err, "The current context is %s.\n", o.name)
	return err
}
