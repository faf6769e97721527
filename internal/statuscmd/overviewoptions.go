package statuscmd

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"carillon/internal/connect"
	"carillon/internal/exit"
	pb "carillon/internal/managementv1"
	"carillon/internal/terminal"
)

// overviewOptions are the flags that say what an overview is about.
type overviewOptions struct {
	std            *terminal.Streams
	server         connect.Flags
	namespace, app string // empty: all
}

// addFlags adds the flags that fill o to c.
func (o *overviewOptions) addFlags(c *cobra.Command) {
	o.server.Add(c.Flags())
	c.Flags().StringVarP(&o.namespace, "namespace", "n", "", "only jobs of this `namespace` (default: of all)")
	c.Flags().StringVar(&o.app, "app", "", "only jobs of this `app`")
}

// check returns an error if the flags have a value that they may not have.
func (o *overviewOptions) check() error {
	if strings.Contains(o.namespace, "/") {
		return exit.Usagef("--namespace %s: it must not have a slash", o.namespace)
	}
	if strings.Contains(o.app, "/") {
		return exit.Usagef("--app %s: it must not have a slash", o.app)
	}
	return nil
}

// ask calls do with a client of the server.
func (o *overviewOptions) ask(ctx context.Context, do func(context.Context, pb.ManagementClient) error) (err error) {
	conn, err := o.server.Dial(o.std)
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

// parent returns the parent of the jobs to look at; empty for all.
func (o *overviewOptions) parent() string {
	if o.namespace == "" && o.app == "" {
		return ""
	}
	parent := "namespaces/" + part(o.namespace)
	if o.app != "" {
		parent += "/apps/" + o.app
	}
	return parent
}

// part returns the part of a parent for the value of a flag.
func part(value string) string {
	if value == "" {
		return "-"
	}
	return value
}
