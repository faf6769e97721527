package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"carillon/internal/engine"
	"carillon/internal/store"
)

const quarantineUsage = `Usage: carillon quarantine list [flags]
       carillon quarantine export ID FILE [flags]
       carillon quarantine delete ID [flags]

Shows what a scheduler cannot use of its store and leaves aside: damaged keys and records, entries of the due index without a
job, jobs without an entry. The rest of the jobs goes on. Each has an id, by which its value is written to a file, or it is
deleted. A job that cannot be read can be scheduled again with overwrite, or deleted, through the API, too. It reads all of
the folder of a scheduler that is stopped, or of several while they run, through the etcd of this machine's; of one that runs, its
log, its health and the metric carillon_quarantined say the same. Give the key file if jobs are encrypted: without it they are
not looked into.

  carillon quarantine list --data-dir /var/lib/carillon/carillon
  carillon quarantine export 3f2a91c07be44d18 job.bin --etcd http://localhost:2379
`

// A quarantineConfig is the flags of quarantine.
type quarantineConfig struct {
	*storeConfig

	keyFile string
	found   listing[finding]
}

// A finding is a key of a store that is in quarantine, as it is shown.
type finding struct {
	ID        string     `json:"id"`
	Kind      string     `json:"kind"`          // due, job, state or other
	Job       string     `json:"job,omitempty"` // that the key names, if it names one
	Key       string     `json:"key"`           // in hexadecimal digits
	Reason    string     `json:"reason"`
	Bytes     int        `json:"bytes"`
	FirstSeen *time.Time `json:"firstSeen,omitempty"` // nil if no scheduler has met it
}

func quarantineFlags() (*flag.FlagSet, *quarantineConfig) {
	fs, where := storeFlags("quarantine")()
	c := &quarantineConfig{storeConfig: where, found: listing[finding]{
		head: "ID\tKIND\tJOB\tBYTES\tFIRST SEEN\tREASON",
		row: func(f finding) string {
			return fmt.Sprintf("%s\t%s\t%s\t%d\t%s\t%s", f.ID, f.Kind, f.job(), f.Bytes, f.seen(), f.Reason)
		},
		yaml: func(f finding) string {
			return fmt.Sprintf("- id: %q\n  kind: %s\n  job: %q\n  key: %q\n  reason: %q\n  bytes: %d\n  firstSeen: %q\n",
				f.ID, f.Kind, f.Job, f.Key, f.Reason, f.Bytes, f.seen())
		},
	}}
	fs.StringVar(&c.keyFile, "encryption-key-file", "", "`file` with the keys of the scheduler, if it has one")
	c.found.flag(fs)
	return fs, c
}

func (f finding) job() string {
	if f.Job == "" {
		return "-"
	}
	return f.Job
}

func (f finding) seen() string {
	if f.FirstSeen == nil {
		return "-"
	}
	return f.FirstSeen.Format(time.RFC3339)
}

// idOf names a key of a store in a few letters.
func idOf(key []byte) string {
	const bytes = 8
	sum := sha256.Sum256(key)
	return hex.EncodeToString(sum[:bytes])
}

func shownFinding(f engine.Finding) finding {
	s := finding{ID: idOf(f.Key), Kind: f.Kind(), Key: hex.EncodeToString(f.Key), Reason: f.Reason, Bytes: f.Bytes}
	s.Job, _ = f.Job()
	if !f.FirstSeen.IsZero() {
		s.FirstSeen = &f.FirstSeen
	}
	return s
}

// quarantine shows, exports or deletes what is in quarantine.
func quarantine(ctx context.Context, args []string, std stdio) (err error) {
	fs, c := quarantineFlags()
	var words []string
	for len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		words, args = append(words, args[0]), args[1:]
	}
	if err := parse(fs, quarantineUsage, args, std); err != nil {
		return err
	}
	var do func(context.Context, jobStore, engine.Finding) error
	switch {
	case len(words) == 1 && words[0] == "list":
	case len(words) == 3 && words[0] == "export":
		do = func(ctx context.Context, from jobStore, f engine.Finding) error {
			return export(ctx, from, f, filepath.Clean(words[2]))
		}
	case len(words) == 2 && words[0] == "delete":
		do = c.remove
	default:
		fmt.Fprint(std.Err, quarantineUsage)
		return usagef("quarantine: say list, export and an id and a file, or delete and an id; 'carillon quarantine --help' shows how")
	}
	if err := c.check(fs.Name()); err != nil {
		return err
	}
	keys, err := openKeys(c.keyFile)
	if err != nil {
		return err
	}
	open, err := c.openHeld(ctx, "stop it first; its /healthz says how much there is")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, open.Close()) }()
	all := []finding{}
	var meant *engine.Finding
	if err := engine.Inspect(ctx, open, keys, func(f engine.Finding) error {
		if do == nil {
			all = append(all, shownFinding(f))
		} else if idOf(f.Key) == words[1] {
			meant = &f
		}
		return nil
	}); err != nil {
		return err
	}
	switch {
	case do == nil:
		return c.found.print(all, std.Out)
	case meant == nil:
		return fmt.Errorf("nothing with the id %s is in quarantine: 'carillon quarantine list' shows what is", words[1])
	}
	if err := do(ctx, open, *meant); err != nil {
		return err
	}
	fmt.Fprintf(std.Out, "%s: %s is done.\n", meant, words[0])
	return nil
}

// export writes the value of a key to a file.
func export(ctx context.Context, from store.Store, f engine.Finding, file string) error {
	values, err := from.Get(ctx, f.Key)
	if err != nil {
		return err
	}
	return os.WriteFile(file, values[0], 0o600)
}

// remove deletes a key. Schedulers that run may be about to write one that names a job.
func (c *quarantineConfig) remove(ctx context.Context, from jobStore, f engine.Finding) error {
	if name, ok := f.Job(); ok && c.etcd != "" && f.Kind() == "job" {
		return fmt.Errorf("the job %s may be scheduled anew at this moment: delete it through the API of the running schedulers", name)
	}
	return engine.RemoveQuarantined(ctx, from, f)
}
