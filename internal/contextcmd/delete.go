package contextcmd

import (
	"fmt"

	"github.com/spf13/cobra"

	"carillon/internal/command"
	"carillon/internal/connect"
	"carillon/internal/terminal"
)

// deleteOptions are the arguments of context delete.
type deleteOptions struct {
	std  *terminal.Streams
	name string
}

func newDelete(std *terminal.Streams) *cobra.Command {
	o := &deleteOptions{std: std}
	return &cobra.Command{
		Use:               "delete NAME",
		Short:             "delete a context",
		Long:              "Deletes a context. Its server and its files stay as they are.",
		Example:           "  carillon context delete staging",
		Args:              command.Args("the NAME of a context"),
		ValidArgsFunction: names(std),
		RunE: func(_ *cobra.Command, args []string) error {
			o.name = args[0]
			return runDelete(o)
		},
	}
}

// runDelete deletes the context.
func runDelete(o *deleteOptions) error {
	if err := change(o.std, func(all *connect.Contexts) error { return all.Delete(o.name) }); err != nil {
		return err
	}
	_, err := fmt.Fprintf(o.std.Err, "The context %s is deleted.\n", o.name)
	return err
}
