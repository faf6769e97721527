package appcmd

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"carillon/internal/apiclient"
	"carillon/internal/command"
	"carillon/internal/exit"
	pb "carillon/internal/managementv1"
	"carillon/internal/output"
	"carillon/internal/terminal"
)

// getAppOptions are the arguments and flags of app get.
type getAppOptions struct {
	showOptions

	name, namespace, kind string
	format                string
}

func newGetApp(std *terminal.Streams) *cobra.Command {
	o := &getAppOptions{showOptions: newShowOptions(std)}
	c := &cobra.Command{
		Use:   "get NAME",
		Short: "show an app",
		Long: `Shows what is known of an app: the streams of its sidecars with the node, the address and since when, what is in flight,
and what is overdue. NAME is an app ID, or an actor type with --kind actor-type, or a full name from 'carillon app list --output
name'.`,
		Example: `  carillon app get billing
  carillon app get Cart --kind actor-type
  carillon app get billing --namespace prod --output yaml`,
		Args: command.Args("the NAME of an app"),
		RunE: func(c *cobra.Command, args []string) error {
			o.name = args[0]
			return runGetApp(c.Context(), o)
		},
	}
	c.ValidArgsFunction = o.Complete(o.findNames)
	o.addFlags(c)
	c.Flags().StringVarP(&o.namespace, "namespace", "n", "", "`namespace` of the app (default: "+defaultNamespace+")")
	addKindFlag(c, &o.kind, kindApp, kindActorType)
	output.AddOneFlag(c, &o.format)
	return c
}

// runGetApp prints the app.
func runGetApp(ctx context.Context, o *getAppOptions) error {
	id, err := o.id()
	if err != nil {
		return err
	}
	return o.show(ctx, o.format, func(ctx context.Context, std *terminal.Streams, client pb.ManagementClient) error {
		a, err := client.GetApp(ctx, &pb.GetAppRequest{Name: id.resource()})
		switch {
		case status.Code(err) == codes.NotFound:
			return appNotFound(id)
		case err != nil:
			return err
		}
		if err := output.PrintOne(std, o.format, a, appLines(std, a)); err != nil {
			return err
		}
		return warnUnreachable(std, a.GetUnreachable())
	})
}

// id returns the ID of the app that name and flags name.
func (o *getAppOptions) id() (appID, error) {
	if !strings.Contains(o.name, "/") {
		return appID{cmp.Or(o.namespace, defaultNamespace), o.kind, o.name}, apiclient.CheckParts("--namespace", o.namespace)
	}
	id, ok := parseAppID(o.name)
	switch {
	case !ok:
		return appID{}, exit.Usagef("app get: %q is no name of an app: give an app ID, or one from carillon app list --output name", o.name)
	case o.namespace != "" && o.namespace != id.namespace:
		return appID{}, exit.Usagef("app get: --namespace %s contradicts the name %s: remove one", o.namespace, o.name)
	}
	return id, nil
}

// appNotFound returns the error for an app that has neither a job nor a connected sidecar.
func appNotFound(id appID) error {
	what, flags := "app", ""
	if id.kind == kindActorType {
		what, flags = "actor type", " --kind actor-type"
	}
	if id.namespace != defaultNamespace {
		flags += " --namespace " + id.namespace
	}
	return fmt.Errorf("%s %q not found in namespace %q: it has no job, and no sidecar that serves it is connected; see: carillon app list%s",
		what, id.name, id.namespace, flags)
}

// appLines returns what a person reads about an app.
func appLines(std *terminal.Streams, a *pb.App) []output.Detail {
	id := idOf(a)
	connected := yesOrNo(a.GetConnected())
	if !a.GetConnected() {
		connected += ": start the app with its sidecar"
	}
	all := []output.Detail{
		{Label: "Name", Value: id.name},
		{Label: "Namespace", Value: id.namespace},
		{Label: "Kind", Value: id.kind},
		{Label: "Has jobs", Value: yesOrNo(a.GetHasJobs())},
		{Label: "Connected", Value: connected},
		{Label: "Streams", Value: a.GetStreamCount()},
	}
	for _, s := range a.GetStreams() {
		all = append(all, output.Detail{Label: "Stream", Value: streamText(std, s)})
	}
	all = append(all, output.Detail{Label: "In flight", Value: a.GetInFlightCount()})
	if a.GetHeldCount() > 0 {
		all = append(all, output.Detail{Label: "Held", Value: fmt.Sprintf("%d wait for a slot of a concurrency limit", a.GetHeldCount())})
	}
	return append(
		all,
		output.Detail{Label: "Overdue", Value: overdueText(a.GetOverdue())},
		output.Detail{Label: "Oldest due", Value: timeOf(a.GetOverdue().GetOldestDueTime())},
	)
}

// streamText returns who is connected, to which node and since when.
func streamText(std *terminal.Streams, s *pb.SidecarStream) string {
	text := fmt.Sprintf("sidecar of %s at %s, to node %s", s.GetAppId(), cmp.Or(s.GetAddress(), "the node itself"), nodeID(s.GetNode()))
	if t := timeOf(s.GetConnectTime()); !t.IsZero() {
		text += ", since " + output.Time(std, t)
	}
	return text
}

// findNames returns the names of the first apps that begin with a text.
func (o *getAppOptions) findNames(ctx context.Context, client pb.ManagementClient, begin string) (names []string, err error) {
	const most = 100
	page, err := client.ListApps(ctx, &pb.ListAppsRequest{
		Parent: parentOfApps(o.namespace), Filter: kindTerm(o.kind) + " AND name = " + apiclient.Quoted(begin+"*"), PageSize: most,
	})
	for _, a := range page.GetApps() {
		names = append(names, idOf(a).name)
	}
	return names, err
}
