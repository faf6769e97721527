// Package apiclient calls the management API for the commands that show what a scheduler has: it finds the server,
// asks it, completes names with its answers, and puts its errors into the words of the command line.
package apiclient

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"carillon/internal/command"
	"carillon/internal/connect"
	pb "carillon/internal/managementv1"
	"carillon/internal/terminal"
)

// completionTimeout is how long a shell waits for values from the server.
const completionTimeout = time.Second

// A Client calls the server that its flags name.
type Client struct {
	Std    *terminal.Streams
	Server connect.Flags
}

// Call calls do with a client of the server.
func (c *Client) Call(ctx context.Context, do func(context.Context, pb.ManagementClient) error) (err error) {
	conn, err := c.Server.Dial(c.Std)
	if err != nil {
		return err
	}
	defer func() {
		if closing := conn.Close(); err == nil {
			err = closing
		}
	}()
	return do(ctx, pb.NewManagementClient(conn))
}

// Complete returns a completion with values from the server: those that begin with a text. It has none if the server
// does not answer within a second.
func (c *Client) Complete(values func(ctx context.Context, client pb.ManagementClient, begin string) ([]string, error)) cobra.CompletionFunc {
	return func(cmd *cobra.Command, _ []string, begin string) (all []cobra.Completion, _ cobra.ShellCompDirective) {
		ctx, cancel := context.WithTimeout(cmd.Context(), completionTimeout)
		defer cancel()
		err := command.FromEnvironment(cmd, c.Std)
		if err == nil {
			err = c.Call(ctx, func(ctx context.Context, client pb.ManagementClient) (err error) {
				all, err = values(ctx, client, begin)
				return err
			})
		}
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		return all, cobra.ShellCompDirectiveNoFileComp
	}
}
