package appcmd

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"carillon/internal/apiclient"
	"carillon/internal/command"
	"carillon/internal/exit"
	"carillon/internal/flagvalue"
	pb "carillon/internal/managementv1"
	"carillon/internal/output"
	"carillon/internal/terminal"
)

// Limits of a list without --limit.
const (
	limitOnTerminal = 50
	limitElsewhere  = 10_000
	maxLimit        = 100_000 // the list is in memory
	pageSize        = 500     // apps that one call asks for
)

// listAppsOptions are the flags of app list.
type listAppsOptions struct {
	showOptions

	namespace             string // empty if it was not given
	allNamespaces         bool
	kind                  string
	disconnected, overdue bool
	prefix, filter        string
	limit                 int // 0 if it was not given
	format                output.Format
}

func newListApps(std *terminal.Streams) *cobra.Command {
	o := &listAppsOptions{showOptions: newShowOptions(std)}
	c := &cobra.Command{
		Use:   "list",
		Short: "list apps",
		Long: `Lists the apps that have a job or a connected sidecar. STREAMS counts the connections of sidecars: each has one or more to
each node. OVERDUE counts the jobs that are due and not delivered; 1000+ means that many or more. Flags that select apps are
joined: all have to match.`,
		Example: `  carillon app list
  carillon app list --all-namespaces --disconnected
  carillon app list --kind actor-type --output wide
  carillon app list --overdue --output json
  carillon app list --disconnected --watch`,
		Args: command.Args(),
		RunE: func(c *cobra.Command, _ []string) error { return runListApps(c.Context(), o) },
	}
	o.addFlags(c)
	fs := c.Flags()
	fs.StringVarP(&o.namespace, "namespace", "n", "", "`namespace` of the apps (default: "+defaultNamespace+")")
	fs.BoolVarP(&o.allNamespaces, "all-namespaces", "A", false, "apps of all namespaces")
	addKindFlag(c, &o.kind, kindApp, kindActorType, kindAny)
	fs.BoolVar(&o.disconnected, "disconnected", false, "only apps without a connected sidecar")
	fs.BoolVar(&o.overdue, "overdue", false, "only apps with jobs that are overdue")
	fs.StringVar(&o.prefix, "prefix", "", "`text` that names begin with")
	fs.StringVar(&o.filter, "filter", "", "`filter` of the management API, such as 'name:mail AND connected=false'")
	fs.IntVar(&o.limit, "limit", 0, fmt.Sprintf("the most `apps` to list (default: %d on a terminal, %d elsewhere)", limitOnTerminal, limitElsewhere))
	output.AddFlag(c, &o.format)
	return c
}

// runListApps prints the apps.
func runListApps(ctx context.Context, o *listAppsOptions) error {
	switch {
	case o.limit < 0 || o.limit > maxLimit:
		return exit.Usagef("--limit %d: it must be between 1 and %d", o.limit, maxLimit)
	case o.allNamespaces && o.namespace != "":
		return exit.Usagef("--all-namespaces and --namespace %s contradict each other: give one", o.namespace)
	case o.limit == 0 && o.Std.Terminal:
		o.limit = limitOnTerminal
	case o.limit == 0:
		o.limit = limitElsewhere
	}
	if err := apiclient.CheckParts("--namespace", o.namespace); err != nil {
		return err
	}
	return o.show(ctx, string(o.format), func(ctx context.Context, std *terminal.Streams, client pb.ManagementClient) error {
		found, err := o.fetch(ctx, client)
		if err != nil {
			return err
		}
		return o.print(std, found)
	})
}

// print writes the apps, and says on standard error if they may not be all.
func (o *listAppsOptions) print(std *terminal.Streams, found foundApps) error {
	list := output.List[*pb.App]{Columns: o.columns(), Name: (*pb.App).GetName, None: o.none()}
	if err := list.Print(std, o.format, found.apps); err != nil {
		return err
	}
	if found.more {
		if _, err := fmt.Fprintf(std.Err, "The list ends at the limit of %d; there may be more apps. Select fewer, or raise --limit.\n", o.limit); err != nil {
			return err
		}
	}
	return warnUnreachable(std, found.unreachable)
}

// none returns what a terminal shows if there is no app.
func (o *listAppsOptions) none() string {
	if o.disconnected || o.overdue || o.prefix != "" || o.filter != "" || o.kind != kindApp {
		return "no apps match; carillon app list --all-namespaces --kind any lists all"
	}
	return "no app has a job or a connected sidecar here: start one with its sidecar, as in carillon dev --app-id sub --app-port 6000; " +
		"carillon app list --all-namespaces --kind any lists all"
}

// foundApps are the apps that a list shows.
type foundApps struct {
	apps        []*pb.App
	more        bool     // there may be more
	unreachable []string // nodes that did not answer
}

// fetch gets the apps page by page, up to the limit.
func (o *listAppsOptions) fetch(ctx context.Context, client pb.ManagementClient) (foundApps, error) {
	var found foundApps
	request := &pb.ListAppsRequest{Parent: o.parent(), Filter: o.terms()}
	for {
		request.PageSize = int32(min(o.limit-len(found.apps), pageSize))
		page, err := client.ListApps(ctx, request)
		if err != nil {
			return foundApps{}, err
		}
		found.apps = append(found.apps, page.GetApps()...)
		for _, node := range page.GetUnreachable() {
			if !slices.Contains(found.unreachable, node) {
				found.unreachable = append(found.unreachable, node)
			}
		}
		if request.PageToken = page.GetNextPageToken(); request.GetPageToken() == "" || len(found.apps) >= o.limit {
			found.more = request.GetPageToken() != ""
			return found, nil
		}
	}
}

// parent returns the resource below which the apps are.
func (o *listAppsOptions) parent() string {
	if o.allNamespaces {
		return parentOfApps(anyPart)
	}
	return parentOfApps(o.namespace)
}

// terms returns the filter that the flags give.
func (o *listAppsOptions) terms() string {
	var all []string
	if o.kind != kindAny {
		all = append(all, kindTerm(o.kind))
	}
	if o.disconnected {
		all = append(all, "connected = false")
	}
	if o.overdue {
		all = append(all, "overdue = true")
	}
	if o.prefix != "" {
		all = append(all, "name = "+apiclient.Quoted(o.prefix+"*"))
	}
	if o.filter != "" {
		all = append(all, o.filter)
	}
	return strings.Join(all, " AND ")
}

// columns returns the columns that suit the selection.
func (o *listAppsOptions) columns() []output.Column[*pb.App] {
	return []output.Column[*pb.App]{
		{Header: "NAMESPACE", Value: func(a *pb.App) any { return idOf(a).namespace }, Wide: !o.allNamespaces},
		{Header: "NAME", Value: func(a *pb.App) any { return idOf(a).name }},
		{Header: "KIND", Value: func(a *pb.App) any { return kindOf(a) }, Wide: o.kind != kindAny},
		{Header: "STREAMS", Value: func(a *pb.App) any { return a.GetStreamCount() }},
		{Header: "CONNECTED", Value: func(a *pb.App) any { return connectedSince(a) }},
		{Header: "IN FLIGHT", Value: func(a *pb.App) any { return a.GetInFlightCount() }},
		{Header: "OVERDUE", Value: func(a *pb.App) any { return overdueText(a.GetOverdue()) }},
		{Header: "OLDEST", Value: func(a *pb.App) any { return timeOf(a.GetOverdue().GetOldestDueTime()) }},
		{Header: "HELD", Value: func(a *pb.App) any { return a.GetHeldCount() }, Wide: true},
		{Header: "JOBS", Value: func(a *pb.App) any { return yesOrNo(a.GetHasJobs()) }, Wide: true},
		{Header: "NODES", Value: func(a *pb.App) any { return nodesOf(a) }, Wide: true},
		{Header: "ADDRESSES", Value: func(a *pb.App) any { return addressesOf(a) }, Wide: true},
	}
}

// connectedSince returns since when a sidecar is connected; the zero time if none is.
func connectedSince(a *pb.App) (since time.Time) {
	for _, s := range a.GetStreams() {
		if t := timeOf(s.GetConnectTime()); since.IsZero() || !t.IsZero() && t.Before(since) {
			since = t
		}
	}
	return since
}

// nodesOf returns the IDs of the nodes to which sidecars are connected.
func nodesOf(a *pb.App) []string {
	return uniqueOf(a, func(s *pb.SidecarStream) string { return nodeID(s.GetNode()) })
}

// addressesOf returns the addresses from which sidecars are connected, without ports: each stream has its own.
func addressesOf(a *pb.App) []string {
	return uniqueOf(a, func(s *pb.SidecarStream) string {
		if host, _, err := net.SplitHostPort(s.GetAddress()); err == nil {
			return host
		}
		return s.GetAddress()
	})
}

// uniqueOf returns the texts of the streams of an app that are not empty, each once.
func uniqueOf(a *pb.App, text func(*pb.SidecarStream) string) (all []string) {
	for _, s := range a.GetStreams() {
		if t := text(s); t != "" && !slices.Contains(all, t) {
			all = append(all, t)
		}
	}
	return all
}

// addKindFlag adds the flag --kind to c, which sets kind to one of some words, the first by default.
func addKindFlag(c *cobra.Command, kind *string, words ...string) {
	c.Flags().Var(flagvalue.NewChoice(kind, words...), "kind", "`kind`: "+strings.Join(words[:len(words)-1], ", ")+" or "+words[len(words)-1])
	if err := c.RegisterFlagCompletionFunc("kind", cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err) // the flag exists, and has no other completion
	}
}
