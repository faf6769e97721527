package jobcmd

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"carillon/internal/connect"
	"carillon/internal/exit"
	pb "carillon/internal/managementv1"
	"carillon/internal/terminal"
)

// serverOptions are the flags that all commands for jobs share.
type serverOptions struct {
	std       *terminal.Streams
	server    connect.Flags
	namespace string // empty if it was not given
}

// addFlags adds the flags that fill o to c.
func (o *serverOptions) addFlags(c *cobra.Command) {
	o.server.Add(c.Flags())
	c.Flags().StringVarP(&o.namespace, "namespace", "n", "", "`namespace` of the jobs (default: "+defaultNamespace+")")
}

// ask calls do with a client of the server.
func (o *serverOptions) ask(ctx context.Context, do func(context.Context, pb.ManagementClient) error) (err error) {
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

// warnUnreachable says on standard error which nodes do not answer.
func warnUnreachable(std *terminal.Streams, nodes []string) error {
	if len(nodes) == 0 {
		return nil
	}
	_, err := fmt.Fprintf(std.Err, "warning: no answer from the node %s: the state of its jobs that are due is unknown\n", strings.Join(nodes, ", "))
	return err
}

// checkParts returns an error for the first flag whose value cannot be a part of a name. It takes pairs of a
// flag and its value.
func checkParts(flagsAndValues ...string) error {
	for pair := range slices.Chunk(flagsAndValues, 2) {
		if strings.Contains(pair[1], "/") {
			return exit.Usagef("%s %s: it must not have a slash", pair[0], pair[1])
		}
	}
	return nil
}

// inFlags returns err in the words of the command line, if it is about a field of a request.
func inFlags(err error) error {
	if status.Code(err) != codes.InvalidArgument {
		return err
	}
	text := status.Convert(err).Message()
	if field, about, ok := strings.Cut(text, ": "); ok && flagOf(field) != "" {
		text = flagOf(field) + ": " + about
	}
	return exit.Usagef("%s", text)
}

// flagOf returns the flag or the argument that sets a field of a request, or nothing.
func flagOf(field string) string {
	switch field {
	case "filter", "count", "repeats", "ttl":
		return "--" + field
	case "orderBy":
		return "--order-by"
	case "dueTime":
		return "--due"
	case "schedule":
		return "SCHEDULE"
	}
	return ""
}

const defaultNamespace = "default"

// namespaceOrDefault returns the namespace of the flags.
func (o *serverOptions) namespaceOrDefault() string { return cmp.Or(o.namespace, defaultNamespace) }

const pageSize = 500 // jobs that one call asks for
