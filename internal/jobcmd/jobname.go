package jobcmd

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"carillon/internal/command"
	"carillon/internal/exit"
	pb "carillon/internal/managementv1"
)

// jobName is the argument and the flags of a command that name one job.
type jobName struct {
	serverOptions

	command               string // such as "job get", for messages
	name                  string
	app, actorType, actor string
}

// addTo makes c take a NAME and the flags that fill n, and complete them.
func (n *jobName) addTo(c *cobra.Command) {
	n.addFlags(c)
	n.addApp(c, &n.app, "`app` of the job")
	c.Flags().StringVar(&n.actorType, "actor-type", "", "`type` of the actor of a reminder")
	c.Flags().StringVar(&n.actor, "actor", "", "`ID` of the actor of a reminder")
	c.Args = command.Args("the NAME of a job")
	c.ValidArgsFunction = n.complete(n.find)
}

// id returns the ID of the job that name and flags name.
func (n *jobName) id() (jobID, error) {
	given := jobID{namespace: n.namespace, app: n.app, actorType: n.actorType, actor: n.actor, name: n.name}
	id := given
	if strings.Contains(n.name, "/") {
		var ok bool
		if id, ok = parseResource(n.name); !ok {
			id, ok = parseStockName(n.name)
		}
		if !ok {
			return jobID{}, exit.Usagef("%s: %q is no name of a job: give app/APP/NAME or actor/TYPE/ID/NAME, or only NAME with --app",
				n.command, n.name)
		}
	}
	for _, part := range []struct {
		flag, given string
		part        *string
	}{
		{"--namespace", given.namespace, &id.namespace},
		{"--app", given.app, &id.app},
		{"--actor-type", given.actorType, &id.actorType},
		{"--actor", given.actor, &id.actor},
	} {
		if part.given != "" && *part.part != part.given && (*part.part != "" || part.flag != "--namespace") {
			return jobID{}, exit.Usagef("%s: %s %s contradicts the name %s: remove one", n.command, part.flag, part.given, n.name)
		}
		*part.part = cmp.Or(*part.part, part.given)
	}
	id.namespace = cmp.Or(id.namespace, defaultNamespace)
	switch {
	case id.app != "" && (id.actorType != "" || id.actor != ""):
		return jobID{}, exit.Usagef("%s: --app names a job, and --actor-type and --actor a reminder: give one of both", n.command)
	case !id.complete():
		return jobID{}, exit.Usagef("%s: whose %s is it? Give --app, or --actor-type and --actor for a reminder; carillon job list shows all jobs",
			n.command, n.name)
	}
	return id, checkParts("--namespace", id.namespace, "--app", id.app, "--actor-type", id.actorType, "--actor", id.actor)
}

// errorOf returns err, of a call about the job, in the words of the command line.
func errorOf(id jobID, err error) error {
	if status.Code(err) == codes.NotFound {
		return notFound(id)
	}
	return inFlags(err)
}

// notFound returns the error for a job that does not exist.
func notFound(id jobID) error {
	where, flags := "", ""
	if id.namespace != defaultNamespace {
		where, flags = fmt.Sprintf(" of namespace %q", id.namespace), " --namespace "+id.namespace
	}
	if id.app != "" {
		return fmt.Errorf("job %q not found in app %q%s; see: carillon job list --app %s%s", id.name, id.app, where, id.app, flags)
	}
	return fmt.Errorf("reminder %q not found on actor %q of type %q%s; see: carillon job list --kind reminder --actor-type %s --actor %s%s",
		id.name, id.actor, id.actorType, where, id.actorType, id.actor, flags)
}

// find returns the first names of jobs: of the app, or full names of all apps.
func (n *jobName) find(ctx context.Context, client pb.ManagementClient, begin string) (names []string, err error) {
	app, prefix := n.app, begin
	if id, ok := parseStockName(begin); ok && id.app != "" {
		app, prefix = id.app, id.name
	} else if app == "" {
		prefix = ""
	}
	const most = 100
	page, err := client.ListJobs(ctx, &pb.ListJobsRequest{
		Parent: parentOfJobs(n.namespaceOrDefault(), app), Filter: beginsWith("name", prefix), PageSize: most,
	})
	for _, j := range page.GetJobs() {
		id, _ := parseResource(j.GetName())
		name := id.name
		if n.app == "" {
			name = id.stockName()
		}
		if strings.HasPrefix(name, begin) {
			names = append(names, name)
		}
	}
	return names, err
}
