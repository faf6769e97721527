package storecmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"carillon/internal/command"
	"carillon/internal/engine/record"
	"carillon/internal/store/archive"
	"carillon/internal/terminal"
)

// restoreOptions are the arguments and flags of restore.
type restoreOptions struct {
	storeOptions

	file string
}

// NewRestore returns the command that writes the jobs of a backup to an empty store.
func NewRestore(std *terminal.Streams) *cobra.Command {
	o := &restoreOptions{storeOptions: storeOptions{std: std}}
	c := &cobra.Command{
		Use:   "restore FILE",
		Short: "restore the jobs of a backup into an empty scheduler",
		Long: `Restores the jobs of a backup into a new data directory for a single scheduler, or into a cluster that is running and has
no jobs; restart its schedulers afterwards, one after the other. A backup of either can be restored into both.`,
		Example: `  carillon restore jobs.archive --data-dir /var/lib/carillon/carillon
  carillon restore jobs.archive --etcd http://localhost:2379`,
		Args: command.Args("the FILE of a backup"),
		RunE: func(c *cobra.Command, args []string) error {
			o.file = filepath.Clean(args[0])
			if err := o.check(c); err != nil {
				return err
			}
			return runRestore(c.Context(), o)
		},
	}
	o.addFlags(c.Flags())
	return c
}

// runRestore writes the jobs of the file to an empty store.
func runRestore(ctx context.Context, o *restoreOptions) (err error) {
	in, err := os.Open(o.file)
	if err != nil {
		return fmt.Errorf("restore %s: %w; give a file from 'carillon backup'", o.file, err)
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	if _, err := archive.Check(in); err != nil {
		return fmt.Errorf("%s: %w", o.file, err)
	}
	if _, err := in.Seek(0, io.SeekStart); err != nil {
		return err
	}
	to, err := o.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	jobs, err := archive.Read(ctx, in, to, record.IsJob, record.IsOfJob, showProgress("restored", o.std.Err))
	if err != nil {
		return fmt.Errorf("restore %s: %w", o.file, err)
	}
	fmt.Fprintf(o.std.Out, "%s restored.\n", countJobs(jobs))
	if o.etcd != "" {
		fmt.Fprintln(o.std.Out, "Now restart each scheduler, one after the other: they fire these jobs from then on.")
	}
	return nil
}
