package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"carillon/internal/engine/record"
	"carillon/internal/store"
	"carillon/internal/store/archive"
	"carillon/internal/store/etcdmember"
	"carillon/internal/store/etcdstore"
	"carillon/internal/store/pebblestore"
)

const backupUsage = `Usage: carillon backup FILE [flags]

Writes all jobs into a new file: those of a scheduler that is stopped, from its folder, or those of several while they run,
through the etcd of this machine's.

  carillon backup jobs.archive --data-dir /var/lib/carillon/carillon
  carillon backup jobs.archive --etcd http://localhost:2379
`

const restoreUsage = `Usage: carillon restore FILE [flags]

Puts the jobs of a backup into a new folder for one scheduler, or into several that have just been started and have no
jobs; those are to be stopped and started again then, one after the other. Both take backups of either.

  carillon restore jobs.archive --data-dir /var/lib/carillon/carillon
  carillon restore jobs.archive --etcd http://localhost:2379
`

// A storeConfig is the flags that say where jobs are.
type storeConfig struct {
	dataDir, etcd string
}

// storeFlags returns the flags of the command of that name.
func storeFlags(name string) func() (*flag.FlagSet, *storeConfig) {
	return func() (*flag.FlagSet, *storeConfig) {
		c := &storeConfig{}
		fs := flag.NewFlagSet(name, flag.ContinueOnError)
		fs.StringVar(&c.dataDir, "data-dir", "", "`folder` of one scheduler: carillon in its --etcd-data-dir, or --data-dir of dev")
		fs.StringVar(&c.etcd, "etcd", "", "`address` of the etcd of several, such as http://localhost:2379")
		return fs, c
	}
}

// A backupConfig is the flags of backup.
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

// A jobStore is a store that is open.
type jobStore interface {
	store.Store
	io.Closer
}

// open opens the store that the flags name.
func (c *storeConfig) open(ctx context.Context) (jobStore, error) {
	log := slog.New(slog.DiscardHandler) // errors are returned
	if c.etcd != "" {
		endpoints := strings.Split(c.etcd, ",")
		if len(endpoints) == 1 { // of several, a client tries each
			if err := etcdmember.Reach(ctx, endpoints[0]); err != nil {
				return nil, err
			}
		}
		return etcdstore.Open(etcdstore.Config{
			Endpoints: endpoints, MaxRequestBytes: etcdmember.DefaultMaxRequestBytes,
		}, log)
	}
	return pebblestore.Open(pebblestore.Config{Dir: c.dataDir}, log)
}

// parse parses the flags of a command that takes a file.
func (c *storeConfig) parse(fs *flag.FlagSet, usage string, args []string, std stdio) (file string, err error) {
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		file, args = args[0], args[1:]
	}
	if err := parse(fs, usage, args, std); err != nil {
		return "", err
	}
	if file == "" {
		return "", usagef("%s: name the file first", fs.Name())
	}
	return filepath.Clean(file), c.check(fs.Name())
}

// check returns what the command is told that does not say where the jobs are.
func (c *storeConfig) check(command string) error {
	if (c.dataDir == "") == (c.etcd == "") {
		return usagef("%s: say where the jobs are: with --data-dir, or with --etcd", command)
	}
	return nil
}

// openHeld opens the store of a command that reads jobs, which are there. inUse says what to do while a scheduler has the
// folder.
func (c *storeConfig) openHeld(ctx context.Context, inUse string) (jobStore, error) {
	if c.dataDir != "" && !held(c.dataDir) {
		return nil, fmt.Errorf("--data-dir %s: no scheduler has kept jobs there: name the directory that it was started with; a scheduler's is carillon in its --etcd-data-dir", c.dataDir)
	}
	open, err := c.open(ctx)
	if errors.Is(err, pebblestore.ErrInUse) {
		return nil, fmt.Errorf("--data-dir %s: a carillon is running on it, which alone may read it: %s", c.dataDir, inUse)
	}
	return open, err
}

// backup writes all jobs into a file.
func backup(ctx context.Context, args []string, std stdio) (err error) {
	fs, c := backupFlags()
	file, err := c.parse(fs, backupUsage, args, std)
	if err != nil {
		return err
	}
	if _, err := os.Lstat(file); err == nil && !c.force {
		return fmt.Errorf("back up to %s: the file exists; choose another name, or overwrite it with --force", file)
	}
	open, err := c.openHeld(ctx, "stop it, make the backup, and start it again")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, open.Close()) }()
	var from store.Store = open
	if e, ok := open.(*etcdstore.Store); ok {
		if from, err = e.Now(ctx); err != nil {
			return err
		}
	}
	out, err := os.OpenFile(file+".part", os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("back up to %s: %w; choose a file that this user may write, in a folder that is there", file, err)
	}
	jobs, err := archive.Write(ctx, out, from, record.IsJob, shown("written", std.Err))
	if err = errors.Join(err, out.Sync(), out.Close()); err == nil {
		err = os.Rename(file+".part", file)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("back up to %s: %w", file, err), os.Remove(file+".part"))
	}
	fmt.Fprintf(std.Out, "%s holds %s.\n", file, counted(jobs))
	return nil
}

// restore puts the jobs of a file into a store that has none.
func restore(ctx context.Context, args []string, std stdio) (err error) {
	fs, c := storeFlags("restore")()
	file, err := c.parse(fs, restoreUsage, args, std)
	if err != nil {
		return err
	}
	in, err := os.Open(file)
	if err != nil {
		return fmt.Errorf("restore %s: %w; name a file that 'carillon backup' has written", file, err)
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
	jobs, err := archive.Read(ctx, in, to, record.IsJob, record.IsOfJob, shown("restored", std.Err))
	if err != nil {
		return fmt.Errorf("restore %s: %w", file, err)
	}
	fmt.Fprintf(std.Out, "%s restored.\n", counted(jobs))
	if c.etcd != "" {
		fmt.Fprintln(std.Out, "Now stop and start each scheduler, one after the other: from then on it fires these jobs.")
	}
	return nil
}

// shown returns what shows how far it is, a line for each hundred thousand.
func shown(what string, to io.Writer) func(jobs int) {
	next := 100_000
	return func(jobs int) {
		if jobs >= next {
			next = jobs + 100_000
			fmt.Fprintf(to, "%s %s\n", counted(jobs), what)
		}
	}
}

// counted says how many jobs there are.
func counted(jobs int) string {
	if jobs == 1 {
		return "1 job"
	}
	return fmt.Sprintf("%d jobs", jobs)
}
