// Package contextcmd is the commands for contexts: names of the servers that a person uses.
package contextcmd

import (
	"github.com/spf13/cobra"

	"carillon/internal/command"
	"carillon/internal/connect"
	"carillon/internal/terminal"
)

// New returns the commands.
func New(std *terminal.Streams) *cobra.Command {
	return command.Group(&cobra.Command{
		Use:   "context",
		Short: "name the servers that you use, and choose one",
		Long: `Lists, chooses, adds and deletes contexts. A context is a name for a server, with the files of its token and its CA
certificates. Commands use the server of --server, or else that of the carillon dev that runs in this project, or else that
of the current context. The contexts are in carillon/contexts.yaml in $XDG_CONFIG_HOME, which is ~/.config by default.`,
		Example: `  carillon context add prod --server https://carillon.example:3510 --token-file ~/.config/carillon/prod.token
  carillon context use prod`,
	}, newList(std), newUse(std), newAdd(std), newDelete(std))
}

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
