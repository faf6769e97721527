package storecmd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"carillon/internal/command"
	"carillon/internal/engine/record"
	"carillon/internal/store"
	"carillon/internal/store/archive"
	"carillon/internal/store/etcdstore"
	"carillon/internal/terminal"
)

// backupOptions are the arguments and flags of backup.
type backupOptions struct {
	storeOptions

	file  string
	force bool
}

// NewBackup returns the command that writes all jobs to a file.
func NewBackup(std *terminal.Streams) *cobra.Command {
	o := &backupOptions{storeOptions: storeOptions{std: std}}
	c := &cobra.Command{
		Use:   "backup FILE",
		Short: "write all jobs to a file",
		Long: `Writes all jobs to a new file. A single scheduler must be stopped: its jobs are read from its data directory. Those of a
cluster are read while it runs, through the etcd of this machine.`,
		Example: `  carillon backup jobs.archive --data-dir /var/lib/carillon/carillon
  carillon backup jobs.archive --etcd http://localhost:2379 --force`,
		Args: command.Args("the FILE to write"),
		RunE: func(c *cobra.Command, args []string) error {
			o.file = filepath.Clean(args[0])
			if err := o.check(c); err != nil {
				return err
			}
			return runBackup(c.Context(), o)
		},
	}
	o.addFlags(c.Flags())
	c.Flags().BoolVar(&o.force, "force", false, "overwrite the file if it exists")
	return c
}

// runBackup writes all jobs to the file.
func runBackup(ctx context.Context, o *backupOptions) (err error) {
	if _, err := os.Lstat(o.file); err == nil && !o.force {
		return fmt.Errorf("back up to %s: the file exists; choose another name, or overwrite it with --force", o.file)
	}
	open, err := o.openExisting(ctx, "stop it, make the backup, and start it again")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, open.Close()) }()
	var from store.Store = open
	if e, ok := open.(*etcdstore.Store); ok {
		if from, err = e.Snapshot(ctx); err != nil {
			return err
		}
	}
	part := o.file + ".part"
	out, err := os.OpenFile(part, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("back up to %s: %w; choose a writable file in an existing directory", o.file, err)
	}
	jobs, err := archive.Write(ctx, out, from, record.IsJob, showProgress("written", o.std.Err))
	if err = errors.Join(err, out.Sync(), out.Close()); err == nil {
		err = os.Rename(part, o.file)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("back up to %s: %w", o.file, err), os.Remove(part))
	}
	fmt.Fprintf(o.std.Out, "%s holds %s.\n", o.file, countJobs(jobs))
	return nil
}
