// Package statuscmd is the command that shows whether all is well: carillon status.
// It uses the client of the management API.
package statuscmd

import (
	"context"

	"github.com/spf13/cobra"

	"carillon/internal/command"
	"carillon/internal/exit"
	pb "carillon/internal/managementv1"
	"carillon/internal/output"
	"carillon/internal/terminal"
)

// statusOptions are the flags of status.
type statusOptions struct {
	overviewOptions

	format string
}

// NewStatus returns the command status.
func NewStatus(std *terminal.Streams) *cobra.Command {
	o := &statusOptions{overviewOptions: overviewOptions{std: std}, format: output.Text}
	c := &cobra.Command{
		Use:   "status",
		Short: "show whether something needs a person, and why",
		Long: `Shows what falls due in the next hour, what is overdue or retried, and what needs a person: by app and reason, with what
to do. A number with a plus sign is a floor. It changes nothing.

Exit codes: 0 if nothing needs a person, 1 if something does or the server cannot be asked, 2 for a wrong command line.`,
		Example: `  carillon status
  carillon status --namespace shop
  carillon status --output json`,
		Args: command.Args(),
		RunE: func(c *cobra.Command, _ []string) error { return runStatus(c.Context(), o) },
	}
	o.addFlags(c)
	output.AddOneFlag(c, &o.format)
	return c
}

// runStatus prints an overview. Its error says that something needs a person.
func runStatus(ctx context.Context, o *statusOptions) error {
	if err := o.check(); err != nil {
		return err
	}
	return o.ask(ctx, func(ctx context.Context, client pb.ManagementClient) error {
		v, err := o.fetch(ctx, client)
		if err != nil {
			return err
		}
		if o.format == output.Text {
			err = v.print(o.std)
		} else {
			err = output.PrintOne(o.std, o.format, v, nil)
		}
		if err == nil && v.needsPerson() {
			return exit.ErrShown
		}
		return err
	})
}
