package contextcmd

import (
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"carillon/internal/command"
	"carillon/internal/connect"
	"carillon/internal/terminal"
)

// addOptions are the arguments and flags of context add.
type addOptions struct {
	std                             *terminal.Streams
	name, server, tokenFile, caFile string
}

func newAdd(std *terminal.Streams) *cobra.Command {
	o := &addOptions{std: std}
	c := &cobra.Command{
		Use:   "add NAME",
		Short: "add a context",
		Long:  "Adds a context. The first one becomes the current one.",
		Example: `  carillon context add local --server http://localhost:3510
  carillon context add prod --server https://carillon.example:3510 --token-file prod.token`,
		Args: command.Args("a NAME for the context"),
		RunE: func(_ *cobra.Command, args []string) error {
			o.name = args[0]
			return runAdd(o)
		},
	}
	c.Flags().StringVar(&o.server, "server", connect.DefaultServer, "management server, as `URL`")
	c.Flags().StringVar(&o.tokenFile, "token-file", "", "`file` with the token that the server requires")
	c.Flags().StringVar(&o.caFile, "server-ca-file", "", "`file` with the CA certificates of the server, in PEM (default: those of the system)")
	return c
}

// runAdd adds the context. It makes the paths of files absolute: commands run in other directories.
func runAdd(o *addOptions) error {
	added := connect.Context{Name: o.name, Server: o.server}
	for _, file := range []struct {
		from string
		to   *string
	}{{o.tokenFile, &added.TokenFile}, {o.caFile, &added.CAFile}} {
		if file.from == "" {
			continue
		}
		path, err := filepath.Abs(file.from)
		if err != nil {
			return err
		}
		*file.to = path
	}
	if err := change(o.std, func(all *connect.Contexts) error { return all.Add(added) }); err != nil {
		return err
	}
	_, err := fmt.Fprintf(o.std.Err, "The context %s is added.\n", o.name)
	return err
}
