// Package contextcmd is the commands for contexts: names of the servers that a person uses.
package contextcmd

import (
	"github.com/spf13/cobra"

	"carillon/internal/command"
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
