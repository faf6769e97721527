package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"carillon/internal/bench"
)

const benchUsage = `Usage: carillon bench [flags]

Measures a scheduler and a sidecar beside what this machine can do at all, and prints how they stand to the bars of
docs/performance.md. It starts what it needs, unless it is told the address of a running server, which may be another
implementation. Do not measure one that serves somebody. It ends with 1 if a trigger was lost, early or counted wrong.

  carillon bench --quick
  carillon bench --quick --only 1,2,4 --scheduler 127.0.0.1:50006 --pid 4711
  carillon bench --quick --nodes 3
`

// A benchConfig is the flags of bench.
type benchConfig struct {
	bench.Config
	quick          bool
	only           list
	stored         int
	soak           time.Duration
	output, jsonTo string
}

func benchFlags() (*flag.FlagSet, *benchConfig) {
	c := &benchConfig{}
	fs := flag.NewFlagSet("bench", flag.ContinueOnError)
	fs.BoolVar(&c.quick, "quick", false, "measure less of everything, in less than two minutes")
	fs.Var(&c.only, "only", "`rows` of the table to measure, with commas between them (default: all)")
	fs.StringVar(&c.Scheduler, "scheduler", "", "`host:port` of a running Scheduler service to measure")
	fs.StringVar(&c.Sidecar, "sidecar", "", "`URL` of a running sidecar's HTTP API to measure, such as http://127.0.0.1:3500")
	fs.StringVar(&c.AppID, "app-id", "", "`id` of the app of that sidecar")
	portVar(fs, &c.AppPort, "app-port", 0, "`port` on which that sidecar expects its app: this command listens there")
	fs.IntVar(&c.Nodes, "nodes", 0, "`number` of schedulers to start as one cluster, and to measure as such (default: none)")
	fs.IntVar(&c.PID, "pid", 0, "`process` of the running server, to know what processor time it takes")
	fs.IntVar(&c.Callers, "callers", 128, "`number` of callers at once")
	fs.IntVar(&c.Connections, "connections", 4, "`number` of connections that they share")
	fs.IntVar(&c.Payload, "payload", 64, "`bytes` of data in a job")
	fs.IntVar(&c.stored, "stored", 0, "`number` of jobs to store for what depends on it (default: 10,000,000; with --quick 50,000)")
	fs.DurationVar(&c.soak, "soak", 0, "how `long` to measure beside the stored jobs (default: 30m; with --quick one round)")
	choiceVar(fs, &c.output, "o", "what to print: table, markdown or json", "table", "markdown", "json")
	fs.StringVar(&c.jsonTo, "json", "", "`file` to write the report to, as JSON")
	fs.StringVar(&c.Dir, "data-dir", "", "`folder` on the disk to measure (default: the one for temporary files)")
	fs.StringVar(&c.ProfileDir, "profile-dir", "", "`folder` for a processor profile of each process that is started")
	return fs, c
}

// measure is the command bench.
func measure(ctx context.Context, args []string, std stdio) error {
	if len(args) > 0 && args[0] == "child" {
		return benchChild(ctx, args[1:], std)
	}
	fs, c := benchFlags()
	if err := parse(fs, benchUsage, args, std); err != nil {
		return err
	}
	if err := c.complete(); err != nil {
		return err
	}
	progress, done := showProgress(std.Err)
	report, err := bench.Run(ctx, c.Config, progress)
	done()
	if ctx.Err() != nil {
		err = errors.New("interrupted before everything was measured")
	}
	if len(report.Results) == 0 && err != nil {
		return err
	}
	if err := errors.Join(err, c.write(report, std.Out)); err != nil {
		return err
	}
	if faults := report.Faults(); len(faults) > 0 {
		return fmt.Errorf("%d measures went wrong:\n  %s", len(faults), strings.Join(faults, "\n  "))
	}
	return nil
}

// complete sets what follows from the flags.
func (c *benchConfig) complete() error {
	c.Sizes = bench.Full()
	if c.quick {
		c.Sizes = bench.Quick()
	}
	if c.stored > 0 {
		c.Sizes.Stored = c.stored
	}
	if c.soak > 0 {
		c.Sizes.Soak = c.soak
	}
	for _, row := range c.only {
		n, err := strconv.Atoi(strings.TrimSpace(row))
		if err != nil {
			return usagef("--only: %q is no number of a row", row)
		}
		c.Only = append(c.Only, n)
	}
	if c.ProfileDir != "" {
		if err := os.MkdirAll(c.ProfileDir, 0o755); err != nil {
			return fmt.Errorf("--profile-dir: %w", err)
		}
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program, to start it again: %w", err)
	}
	c.Command, c.Env = []string{self, "bench", "child"}, childEnv(os.Environ())
	if err := c.Check(); err != nil {
		return usagef("bench: %v", err)
	}
	return nil
}

// childEnv returns an environment without what would change how a server is set up.
func childEnv(env []string) []string {
	return slices.DeleteFunc(slices.Clone(env), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		if name == "CARILLON_TEST_MAIN" {
			return false
		}
		return strings.HasPrefix(name, "CARILLON_") || strings.HasPrefix(name, "DAPR_") ||
			name == "NAMESPACE" || name == "APP_API_TOKEN"
	})
}

// write prints the report, and writes it to the file of --json.
func (c *benchConfig) write(r bench.Report, out io.Writer) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	text = append(text, '\n')
	if c.jsonTo != "" {
		if err := os.WriteFile(filepath.Clean(c.jsonTo), text, 0o644); err != nil {
			return fmt.Errorf("--json: %w", err)
		}
	}
	switch c.output {
	case "json":
		_, err = out.Write(text)
		return err
	case "markdown":
		return r.Markdown(out)
	default:
		return r.Table(out)
	}
}

// showProgress returns what tells a person how far a run is: a line for each step, and on a terminal also what the step
// is at. The last line on a terminal is wiped when it is done.
func showProgress(w io.Writer) (progress func(bench.Progress), done func()) {
	if !isTerminal(w) {
		return func(p bench.Progress) {
			if p.Doing == "" {
				fmt.Fprintln(w, progressLine(p))
			}
		}, func() {}
	}
	const wipe = "\r\x1b[K"
	return func(p bench.Progress) { fmt.Fprint(w, wipe, progressLine(p)) }, func() { fmt.Fprint(w, wipe) }
}

// isTerminal reports whether a person is likely to see what is written to w as it comes.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

func progressLine(p bench.Progress) string {
	doing := p.Name
	if p.Doing != "" {
		doing += ": " + p.Doing
	}
	return fmt.Sprintf("[%d/%d] %s (%v passed, about %v left)",
		p.Step, p.Steps, doing, p.Elapsed.Round(time.Second), p.Remaining.Round(time.Second))
}
