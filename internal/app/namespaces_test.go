package app

import (
	"context"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"carillon/internal/job"
	"carillon/internal/store/pebblestore"
	"carillon/internal/when"
)

func TestDeletedNamespaceLosesItsJobsOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := Config{Store: pebblestore.Config{Dir: "store", FS: vfs.NewMem(), NoTickers: true}}
		c, err := openCore(cfg, slog.New(slog.NewTextHandler(t.Output(), nil)))
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- c.engine.Run(ctx) }()
		spec := job.Spec{Plan: when.Plan{First: time.Now().Add(time.Hour)}, Words: when.Words{DueTime: new("1h")}, AppID: "app"}
		namespaces := []string{"default", "default-foo", "def", "other"}
		for _, ns := range namespaces {
			for _, k := range []job.Key{
				{Target: job.Target{Kind: job.App, Namespace: ns, Name: "app"}, Name: "a"},
				{Target: job.Target{Kind: job.Actor, Namespace: ns, Name: "T"}, ActorID: "1", Name: "r"},
			} {
				if err := c.engine.Schedule(ctx, k, spec, false); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := c.deleteNamespace(ctx, "default"); err != nil {
			t.Fatal(err)
		}
		var left []string
		for _, ns := range namespaces {
			jobs, _, err := c.engine.Usage(ctx, ns)
			if err != nil {
				t.Fatal(err)
			}
			if jobs == 2 {
				left = append(left, ns)
			} else if jobs != 0 {
				t.Errorf("%s has %d jobs left", ns, jobs)
			}
		}
		if want := []string{"default-foo", "def", "other"}; !slices.Equal(left, want) {
			t.Errorf("%v are left, want %v", left, want)
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if err := c.store.Close(); err != nil {
			t.Error(err)
		}
	})
}
