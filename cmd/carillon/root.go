package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"

	"github.com/spf13/cobra"

	"carillon/internal/appcmd"
	"carillon/internal/command"
	"carillon/internal/contextcmd"
	"carillon/internal/devcmd"
	"carillon/internal/exit"
	"carillon/internal/jobcmd"
	"carillon/internal/membercmd"
	"carillon/internal/schedulercmd"
	"carillon/internal/sidecarcmd"
	"carillon/internal/statuscmd"
	"carillon/internal/storecmd"
	"carillon/internal/terminal"
	"carillon/internal/truncate"
)

// commandLine returns the command and its arguments in argv. A binary that is named scheduler runs that
// command, and one that is named daprd runs sidecar.
func commandLine(argv []string) []string {
	if len(argv) == 0 {
		return nil
	}
	switch strings.TrimSuffix(filepath.Base(argv[0]), ".exe") {
	case "scheduler":
		return append([]string{"scheduler"}, argv[1:]...)
	case "daprd":
		return append([]string{"sidecar"}, argv[1:]...)
	default:
		return argv[1:]
	}
}

// run runs the command that args name, writes its error to std.Err and returns the exit code. A command may
// store a function in atKill, which runs before a second signal ends the process.
func run(ctx context.Context, args []string, std *terminal.Streams, atKill *atomic.Pointer[func()]) int {
	code, line := exit.Of(command.Run(ctx, newRoot(std, atKill), args)) //nolint:contextcheck // Run gives ctx to the command
	if line != "" {
		fmt.Fprintf(std.Err, "carillon: %s\n", truncate.Text(line))
	}
	return code
}

// newRoot returns the tree of all commands.
func newRoot(std *terminal.Streams, atKill *atomic.Pointer[func()]) *cobra.Command {
	root := &cobra.Command{
		Use:   "carillon",
		Short: "Carillon is a durable job scheduler that speaks the Dapr Jobs API.",
		Long: `'carillon help <command>' shows what a command does, and its flags. Each flag can also be set by an environment
variable: --data-dir by CARILLON_DATA_DIR. Exit codes: 0 for success, 1 for an error, 2 for a wrong command line.`,
		Example: `Run an app with everything that it needs, and schedule a job for it:

  carillon dev --app-id sub --app-port 6000 -- ./my-app
  curl -X POST http://localhost:3500/v1.0-alpha1/jobs/hello -d '{"dueTime": "5s", "data": "hi"}'`,
	}
	var version bool
	root.Flags().BoolVarP(&version, "version", "v", false, "print the version")
	root.RunE = func(c *cobra.Command, _ []string) error {
		if version {
			return runVersion(&versionOptions{std: std, format: "text"})
		}
		return c.Help()
	}
	group(root, "Run nodes",
		devcmd.New(std, atKill), schedulercmd.New(std), sidecarcmd.New(std))
	group(root, "See jobs", jobcmd.New(std), jobcmd.NewSchedule(std), appcmd.New(std), appcmd.NewNode(std), statuscmd.NewStatus(std))
	group(root, "Look after their data",
		membercmd.New(std), storecmd.NewBackup(std), storecmd.NewRestore(std), storecmd.NewKeys(std), storecmd.NewQuarantine(std))
	const tool = "Use this tool"
	group(root, tool, contextcmd.New(std), newCompletion(std), newVersion(std))
	command.Root(root, tool, std)
	return root
}

// group adds commands to root under a title in its help.
func group(root *cobra.Command, title string, all ...*cobra.Command) {
	root.AddGroup(&cobra.Group{ID: title, Title: title})
	for _, c := range all {
		c.GroupID = title
	}
	root.AddCommand(all...)
}
