package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"carillon/internal/engine/record"
	"carillon/internal/store/archive"
)

const restoreUsage = `Usage: carillon restore FILE [flags]

Restores the jobs of a backup into a new data directory for a single scheduler, or into a cluster that is running and has
no jobs; restart its schedulers afterwards, one after the other. A backup of either can be restored into both.

  carillon restore jobs.archive --data-dir /var/lib/carillon/carillon
  carillon restore jobs.archive --etcd http://localhost:2379
`

// restore writes the jobs of a file to an empty store.
func restore(ctx context.Context, args []string, std stdio) (err error) {
	fs, c := storeFlags("restore")()
	file, err := c.parse(fs, restoreUsage, args, std)
	if err != nil {
		return err
	}
	in, err := os.Open(file)
	if err != nil {
		return fmt.Errorf("restore %s: %w; give a file from 'carillon backup'", file, err)
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	if _, err := archive.Check(in); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if _, err := in.Seek(0, io.SeekStart); err != nil {
		return err
	}
	to, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	jobs, err := archive.Read(ctx, in, to, record.IsJob, record.IsOfJob, showProgress("restored", std.Err))
	if err != nil {
		return fmt.Errorf("restore %s: %w", file, err)
	}
	fmt.Fprintf(std.Out, "%s restored.\n", countJobs(jobs))
	if c.etcd != "" {
		fmt.Fprintln(std.Out, "Now restart each scheduler, one after the other: they fire these jobs from then on.")
	}
	return nil
}
