// Package storecmd is the commands that read and write the store of a scheduler without its API: backup,
// restore, keys and quarantine. They open the data directory of a single scheduler that is stopped, or the etcd
// of a cluster that runs.
package storecmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"carillon/internal/exit"
	"carillon/internal/nodecmd"
	"carillon/internal/store"
	"carillon/internal/store/etcdmember"
	"carillon/internal/store/etcdstore"
	"carillon/internal/store/pebblestore"
	"carillon/internal/terminal"
)

// storeOptions are the flags that select a store, and the surroundings of the command.
type storeOptions struct {
	std           *terminal.Streams
	dataDir, etcd string
}

// addFlags adds the flags that fill o.
func (o *storeOptions) addFlags(fs *pflag.FlagSet) {
	fs.StringVar(&o.dataDir, "data-dir", "", "data `directory` of a single scheduler: carillon in its --etcd-data-dir, or --data-dir of dev")
	fs.StringVar(&o.etcd, "etcd", "", "`address` of the etcd of a cluster, such as http://localhost:2379")
}

// check returns an error unless exactly one store is given.
func (o *storeOptions) check(c *cobra.Command) error {
	if (o.dataDir == "") == (o.etcd == "") {
		_, command, _ := strings.Cut(c.CommandPath(), " ")
		return exit.Usagef("%s: give either --data-dir or --etcd, the store of the jobs", command)
	}
	return nil
}

// jobStore is an open store, which the caller closes.
type jobStore interface {
	store.Store
	io.Closer
}

// open opens the store of the flags.
func (o *storeOptions) open(ctx context.Context) (jobStore, error) {
	log := slog.New(slog.DiscardHandler) // errors are returned
	if o.etcd != "" {
		endpoints := strings.Split(o.etcd, ",")
		if len(endpoints) == 1 { // the client tries each of several
			if err := etcdmember.Reach(ctx, endpoints[0]); err != nil {
				return nil, err
			}
		}
		return etcdstore.Open(etcdstore.Config{
			Endpoints: endpoints, MaxRequestBytes: etcdmember.DefaultMaxRequestBytes,
		}, log)
	}
	return pebblestore.Open(pebblestore.Config{Dir: o.dataDir}, log)
}

// openExisting opens the store of a command that reads jobs. inUse says what to do if a scheduler has the data
// directory open.
func (o *storeOptions) openExisting(ctx context.Context, inUse string) (jobStore, error) {
	if o.dataDir != "" && !nodecmd.HasData(o.dataDir) {
		return nil, fmt.Errorf("--data-dir %s: no store is there: give the data directory of the scheduler, which is carillon in its --etcd-data-dir", o.dataDir)
	}
	open, err := o.open(ctx)
	if errors.Is(err, pebblestore.ErrInUse) {
		return nil, fmt.Errorf("--data-dir %s: a running carillon has it open: %s", o.dataDir, inUse)
	}
	return open, err
}
