package jobcmd

import (
	"context"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"carillon/internal/command"
	pb "carillon/internal/managementv1"
)

// completionTimeout is how long a shell waits for values from the server.
const completionTimeout = time.Second

// find returns values that begin with a text.
type find func(ctx context.Context, client pb.ManagementClient, begin string) ([]string, error)

// complete returns a completion with values from the server. It has none if the server does not answer.
func (o *serverOptions) complete(values find) cobra.CompletionFunc {
	return func(c *cobra.Command, _ []string, begin string) (all []cobra.Completion, _ cobra.ShellCompDirective) {
		ctx, cancel := context.WithTimeout(c.Context(), completionTimeout)
		defer cancel()
		err := command.FromEnvironment(c, o.std)
		if err == nil {
			err = o.ask(ctx, func(ctx context.Context, client pb.ManagementClient) (err error) {
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

// findApps returns the apps that have jobs, as far as they are found in time.
func (o *serverOptions) findApps(ctx context.Context, client pb.ManagementClient, begin string) (apps []string, err error) {
	request := &pb.ListJobsRequest{Parent: parentOfJobs(o.namespaceOrDefault(), ""), Filter: beginsWith("app", begin), PageSize: pageSize}
	for {
		page, err := client.ListJobs(ctx, request)
		if err != nil {
			if len(apps) > 0 {
				err = nil
			}
			return apps, err
		}
		for _, j := range page.GetJobs() {
			if !slices.Contains(apps, j.GetAppId()) {
				apps = append(apps, j.GetAppId())
			}
		}
		if request.PageToken = page.GetNextPageToken(); request.GetPageToken() == "" {
			return apps, nil
		}
	}
}

// addApp adds the flag --app to c, which sets app, with the apps of the server as its completion.
func (o *serverOptions) addApp(c *cobra.Command, app *string, usage string) {
	c.Flags().StringVar(app, "app", "", usage)
	completeFlag(c, "app", o.complete(o.findApps))
}

// completeFlag sets the completion of a flag of c, which has no other.
func completeFlag(c *cobra.Command, flag string, f cobra.CompletionFunc) {
	if err := c.RegisterFlagCompletionFunc(flag, f); err != nil {
		panic(err)
	}
}
