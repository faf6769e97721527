package appcmd

import (
	"context"

	"github.com/spf13/cobra"

	"carillon/internal/apiclient"
	pb "carillon/internal/managementv1"
	"carillon/internal/output"
	"carillon/internal/terminal"
	"carillon/internal/watch"
)

// showOptions are the flags of all commands. They show something that a server has, once or again when it changes.
type showOptions struct {
	apiclient.Client

	watch watch.Settings
}

// newShowOptions returns options for these streams.
func newShowOptions(std *terminal.Streams) showOptions {
	return showOptions{Client: apiclient.Client{Std: std}}
}

// addFlags adds the flags that fill o to c.
func (o *showOptions) addFlags(c *cobra.Command) {
	o.Server.Add(c.Flags())
	o.watch.Add(c.Flags())
}

// show calls do with a client of the server, and again until it is interrupted if the command watches. It puts an
// error into the words of the command line.
func (o *showOptions) show(
	ctx context.Context, format string, do func(ctx context.Context, std *terminal.Streams, client pb.ManagementClient) error,
) error {
	if err := o.watch.Check(); err != nil {
		return err
	}
	return o.Call(ctx, func(ctx context.Context, client pb.ManagementClient) error {
		return o.watch.Show(ctx, o.Std, output.Separator(format), func(ctx context.Context, std *terminal.Streams) error {
			return apiclient.InFlags(do(ctx, std, client))
		})
	})
}
