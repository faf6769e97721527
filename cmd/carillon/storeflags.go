package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"strings"

	"carillon/internal/store"
	"carillon/internal/store/etcdmember"
	"carillon/internal/store/etcdstore"
	"carillon/internal/store/pebblestore"
)

// storeConfig are the flags that select a store.
type storeConfig struct {
	dataDir, etcd string
}

// storeFlags returns the flags of a command that opens a store.
func storeFlags(name string) func() (*flag.FlagSet, *storeConfig) {
	return func() (*flag.FlagSet, *storeConfig) {
		c := &storeConfig{}
		fs := flag.NewFlagSet(name, flag.ContinueOnError)
		fs.StringVar(&c.dataDir, "data-dir", "", "data `directory` of a single scheduler: carillon in its --etcd-data-dir, or --data-dir of dev")
		fs.StringVar(&c.etcd, "etcd", "", "`address` of the etcd of a cluster, such as http://localhost:2379")
		return fs, c
	}
}

// parse parses the flags of a command with a file argument.
func (c *storeConfig) parse(fs *flag.FlagSet, usage string, args []string, std stdio) (file string, err error) {
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		file, args = args[0], args[1:]
	}
	if err := parseFlags(fs, usage, args, std); err != nil {
		return "", err
	}
	if file == "" {
		return "", usagef("%s: give the file as the first argument", fs.Name())
	}
	return filepath.Clean(file), c.check(fs.Name())
}

// check returns an error unless exactly one store is given.
func (c *storeConfig) check(command string) error {
	if (c.dataDir == "") == (c.etcd == "") {
		return usagef("%s: give either --data-dir or --etcd, the store of the jobs", command)
	}
	return nil
}

// jobStore is an open store, which the caller closes.
type jobStore interface {
	store.Store
	io.Closer
}

// open opens the store of the flags.
func (c *storeConfig) open(ctx context.Context) (jobStore, error) {
	log := slog.New(slog.DiscardHandler) // errors are returned
	if c.etcd != "" {
		endpoints := strings.Split(c.etcd, ",")
		if len(endpoints) == 1 { // the client tries each of several
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

// openExisting opens the store of a command that reads jobs. inUse says what to do if a scheduler has the data
// directory open.
func (c *storeConfig) openExisting(ctx context.Context, inUse string) (jobStore, error) {
	if c.dataDir != "" && !hasData(c.dataDir) {
		return nil, fmt.Errorf("--data-dir %s: no store is there: give the data directory of the scheduler, which is carillon in its --etcd-data-dir", c.dataDir)
	}
	open, err := c.open(ctx)
	if errors.Is(err, pebblestore.ErrInUse) {
		return nil, fmt.Errorf("--data-dir %s: a running carillon has it open: %s", c.dataDir, inUse)
	}
	return open, err
}
