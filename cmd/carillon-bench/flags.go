package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"carillon/internal/bench"
)

const usage = `Usage: carillon-bench [flags]

Measures a scheduler and a sidecar beside what this machine can do at all, and compares them with the targets in
docs/performance.md. It starts the servers that it needs, unless you give the address of a running one, which may be
another implementation. Do not benchmark a production server. The exit code is 1 if a trigger was lost, early or
counted wrong, and 2 if the command line is wrong.

  carillon-bench --quick
  carillon-bench --quick --only 1,2,4 --scheduler 127.0.0.1:50006 --pid 4711
  carillon-bench --quick --nodes 3

Flags:
`

// config are the flags.
type config struct {
	bench.Config
	carillon       string
	quick          bool
	stored         int
	soak           time.Duration
	output, jsonTo string
}

func flags() (*flag.FlagSet, *config) {
	c := &config{}
	fs := flag.NewFlagSet("carillon-bench", flag.ContinueOnError)
	fs.SetOutput(io.Discard) // main prints errors
	fs.StringVar(&c.carillon, "carillon", "", "`file` of the carillon to start (default: beside this program, or else in $PATH)")
	fs.BoolVar(&c.quick, "quick", false, "measure less of everything, in about three minutes")
	fs.Func("only", "`rows` of the table to measure, separated by commas (default: all)", c.addRows)
	fs.StringVar(&c.Scheduler, "scheduler", "", "`host:port` of a running Scheduler service to measure")
	fs.StringVar(&c.Sidecar, "sidecar", "", "`URL` of the HTTP API of a running sidecar to measure, such as http://127.0.0.1:3500")
	fs.StringVar(&c.AppID, "app-id", "", "app `ID` that the running sidecar serves")
	fs.IntVar(&c.AppPort, "app-port", 0, "`port` on which the running sidecar calls its app: this command listens there")
	fs.IntVar(&c.Nodes, "nodes", 0, "`number` of schedulers to start and to measure as one cluster (default: one node)")
	fs.IntVar(&c.PID, "pid", 0, "process `ID` of the running server, to read its processor time")
	fs.IntVar(&c.Callers, "callers", 128, "`number` of concurrent callers")
	fs.IntVar(&c.Connections, "connections", 4, "`number` of connections that the callers share")
	fs.IntVar(&c.Payload, "payload", 64, "`bytes` of data in a job")
	fs.IntVar(&c.stored, "stored", 0, "`number` of jobs to store for the rows that depend on it (default: 10,000,000; with --quick 50,000)")
	fs.DurationVar(&c.soak, "soak", 0, "`duration` of the rows beside the stored jobs (default: 30m; with --quick one round)")
	fs.StringVar(&c.output, "o", "table", "output `format`: table, markdown or json")
	fs.StringVar(&c.jsonTo, "json", "", "`file` to write the report to, as JSON")
	fs.StringVar(&c.Dir, "data-dir", "", "`directory` on the disk to measure (default: the one for temporary files)")
	fs.StringVar(&c.ProfileDir, "profile-dir", "", "`directory` for a processor profile of each process that is started")
	return fs, c
}

// addRows adds the rows in a value of --only.
func (c *config) addRows(value string) error {
	for row := range strings.SplitSeq(value, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(row))
		if err != nil {
			return fmt.Errorf("%q is not the number of a row", row)
		}
		c.Only = append(c.Only, n)
	}
	return nil
}

// complete checks the flags and sets what depends on them.
func (c *config) complete() error {
	if !slices.Contains([]string{"table", "markdown", "json"}, c.output) {
		return usagef("-o %q: the format is table, markdown or json", c.output)
	}
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
	if err := c.Check(); err != nil {
		return usagef("%w", err)
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
	c.Child, c.Env = []string{self, "child"}, childEnv(os.Environ())
	c.Carillon, err = findCarillon(c.carillon, self)
	return err
}

// findCarillon returns the path of the carillon to start: given, or in the directory of this
// program, or in $PATH.
func findCarillon(given, self string) (string, error) {
	for _, name := range []string{given, filepath.Join(filepath.Dir(self), "carillon"), "carillon"} {
		if name == "" {
			continue
		}
		path, err := exec.LookPath(name)
		if err == nil {
			return filepath.Abs(path)
		}
		if name == given {
			return "", usagef("--carillon: %w", err)
		}
	}
	return "", usagef("no carillon beside %s and none in $PATH: build it (make build), or name it with --carillon", self)
}

// printFlags lists the flags with two dashes.
func printFlags(fs *flag.FlagSet, out io.Writer) {
	fs.VisitAll(func(f *flag.Flag) {
		kind, text := flag.UnquoteUsage(f)
		if !slices.Contains([]string{"", "false", "0", "0s"}, f.DefValue) {
			text += " (default " + f.DefValue + ")"
		}
		fmt.Fprintf(out, "  --%s\n        %s\n", strings.TrimSpace(f.Name+" "+kind), text)
	})
}

// childEnv returns env without the variables that configure a server.
func childEnv(env []string) []string {
	return slices.DeleteFunc(slices.Clone(env), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		return strings.HasPrefix(name, "CARILLON_") || strings.HasPrefix(name, "DAPR_") ||
			name == "NAMESPACE" || name == "APP_API_TOKEN"
	})
}
