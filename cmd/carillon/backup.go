package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"

	"carillon/internal/engine/record"
	"carillon/internal/store"
	"carillon/internal/store/archive"
	"carillon/internal/store/etcdstore"
)

const backupUsage = `Usage: carillon backup FILE [flags]

Writes all jobs to a new file. A single scheduler must be stopped: its jobs are read from its data directory. Those of a
cluster are read while it runs, through the etcd of this machine.

  carillon backup jobs.archive --data-dir /var/lib/carillon/carillon
  carillon backup jobs.archive --etcd http://localhost:2379
`

// backupConfig are the flags of backup.
type backupConfig struct {
	*storeConfig

	force bool
}

func backupFlags() (*flag.FlagSet, *backupConfig) {
	fs, where := storeFlags("backup")()
	c := &backupConfig{storeConfig: where}
	fs.BoolVar(&c.force, "force", false, "overwrite the file if it exists")
	return fs, c
}

// backup writes all jobs to a file.
func backup(ctx context.Context, args []string, std stdio) (err error) {
	fs, c := backupFlags()
	file, err := c.parse(fs, backupUsage, args, std)
	if err != nil {
		return err
	}
	if _, err := os.Lstat(file); err == nil && !c.force {
		return fmt.Errorf("back up to %s: the file exists; choose another name, or overwrite it with --force", file)
	}
	open, err := c.openExisting(ctx, "stop it, make the backup, and start it again")
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
	out, err := os.OpenFile(file+".part", os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("back up to %s: %w; choose a writable file in an existing directory", file, err)
	}
	jobs, err := archive.Write(ctx, out, from, record.IsJob, showProgress("written", std.Err))
	if err = errors.Join(err, out.Sync(), out.Close()); err == nil {
		err = os.Rename(file+".part", file)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("back up to %s: %w", file, err), os.Remove(file+".part"))
	}
	fmt.Fprintf(std.Out, "%s holds %s.\n", file, countJobs(jobs))
	return nil
}
