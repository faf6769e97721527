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

	"carillon/internal/engine/quarantine"
	"carillon/internal/store"
)

const quarantineUsage = `Usage: carillon quarantine list [flags]
       carillon quarantine export ID FILE [flags]
       carillon quarantine delete ID [flags]

Lists the entries of a store that a scheduler cannot use and skips: damaged keys and records, entries of the due index
without a job, jobs without an entry. All other jobs are unaffected. Each entry has an id, for exporting its value to a file
or deleting it. You can also schedule a damaged job again with overwrite, or delete it, through the API. A single scheduler
must be stopped: its data directory is read. A cluster is read while it runs, through the etcd of this machine. The log, the
health and the metric carillon_quarantined of a running scheduler show the same. Give the key file if jobs are encrypted:
without it their payloads are not checked.

  carillon quarantine list --data-dir /var/lib/carillon/carillon
  carillon quarantine export 3f2a91c07be44d18 job.bin --etcd http://localhost:2379
`

// quarantineConfig are the flags of quarantine.
type quarantineConfig struct {
	*storeConfig

	keyFile string
	found   listing[finding]
}

// finding is a quarantined key of a store, as it is printed.
type finding struct {
	ID        string     `json:"id"`
	Kind      string     `json:"kind"`          // due, job, state or other
	Job       string     `json:"job,omitempty"` // the job of the key, if it has one
	Key       string     `json:"key"`           // hexadecimal
	Reason    string     `json:"reason"`
	Bytes     int        `json:"bytes"`
	FirstSeen *time.Time `json:"firstSeen,omitempty"` // nil if no scheduler has read it yet
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
	fs.StringVar(&c.keyFile, "encryption-key-file", "", "`file` with the encryption keys of the scheduler, if it has one")
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

// idOf returns a short id of a key of a store.
func idOf(key []byte) string {
	const bytes = 8
	sum := sha256.Sum256(key)
	return hex.EncodeToString(sum[:bytes])
}

func newFinding(f quarantine.Finding) finding {
	s := finding{ID: idOf(f.Key), Kind: f.Kind(), Key: hex.EncodeToString(f.Key), Reason: f.Reason, Bytes: f.Bytes}
	s.Job, _ = f.Job()
	if !f.FirstSeen.IsZero() {
		s.FirstSeen = &f.FirstSeen
	}
	return s
}

// runQuarantine lists, exports or deletes quarantined keys.
func runQuarantine(ctx context.Context, args []string, std stdio) (err error) {
	fs, c := quarantineFlags()
	var words []string
	for len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		words, args = append(words, args[0]), args[1:]
	}
	if err := parseFlags(fs, quarantineUsage, args, std); err != nil {
		return err
	}
	var do func(context.Context, jobStore, quarantine.Finding) error
	switch {
	case len(words) == 1 && words[0] == "list":
	case len(words) == 3 && words[0] == "export":
		do = func(ctx context.Context, from jobStore, f quarantine.Finding) error {
			return export(ctx, from, f, filepath.Clean(words[2]))
		}
	case len(words) == 2 && words[0] == "delete":
		do = c.remove
	default:
		fmt.Fprint(std.Err, quarantineUsage)
		return usagef("quarantine: use list, export ID FILE or delete ID; see 'carillon quarantine --help'")
	}
	if err := c.check(fs.Name()); err != nil {
		return err
	}
	keys, err := openKeys(c.keyFile)
	if err != nil {
		return err
	}
	open, err := c.openExisting(ctx, "stop it first; its /healthz shows the number of entries")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, open.Close()) }()
	all := []finding{}
	var target *quarantine.Finding
	if err := quarantine.Inspect(ctx, open, keys, func(f quarantine.Finding) error {
		if do == nil {
			all = append(all, newFinding(f))
		} else if idOf(f.Key) == words[1] {
			target = &f
		}
		return nil
	}); err != nil {
		return err
	}
	switch {
	case do == nil:
		return c.found.print(all, std.Out)
	case target == nil:
		return fmt.Errorf("no quarantined entry has the id %s: 'carillon quarantine list' shows the ids", words[1])
	}
	if err := do(ctx, open, *target); err != nil {
		return err
	}
	fmt.Fprintf(std.Out, "%s: %s is done.\n", target, words[0])
	return nil
}

// export writes the value of a key to a file.
func export(ctx context.Context, from store.Store, f quarantine.Finding, file string) error {
	values, err := from.Get(ctx, f.Key)
	if err != nil {
		return err
	}
	return os.WriteFile(file, values[0], 0o600)
}

// remove deletes a key. It refuses the record of a job in a cluster: a running scheduler may be writing it.
func (c *quarantineConfig) remove(ctx context.Context, from jobStore, f quarantine.Finding) error {
	if name, ok := f.Job(); ok && c.etcd != "" && f.Kind() == "job" {
		return fmt.Errorf("the job %s may be scheduled again at this moment: delete it through the API of the running schedulers", name)
	}
	return quarantine.Remove(ctx, from, f)
}
