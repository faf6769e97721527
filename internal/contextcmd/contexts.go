package contextcmd

import (
	"github.com/spf13/cobra"

	"carillon/internal/connect"
	"carillon/internal/terminal"
)

// names completes the name of a context.
func names(std *terminal.Streams) cobra.CompletionFunc {
	return func(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		path, err := connect.ContextsPath(std.Env)
		if err != nil || len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		all, err := connect.ReadContexts(path)
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		return all.Names(), cobra.ShellCompDirectiveNoFileComp
	}
}

// change reads the contexts, changes them and writes them.
func change(std *terminal.Streams, how func(*connect.Contexts) error) error {
	path, err := connect.ContextsPath(std.Env)
	if err != nil {
		return err
	}
	all, err := connect.ReadContexts(path)
	if err != nil {
		return err
	}
	if err := how(all); err != nil {
		return err
	}
	return all.Write(path)
}
