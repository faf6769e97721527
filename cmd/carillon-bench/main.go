// Command carillon-bench measures a scheduler and a sidecar beside what the machine can do at all. It starts the carillon
// that lies beside it, or measures running servers, which may be another implementation. See docs/performance.md.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
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

// errUsage marks an error of the command line.
var errUsage = errors.New("usage")

// usagef returns an error of the command line.
func usagef(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{errUsage}, args...)...)
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	args, command := os.Args[1:], measure
	if len(args) > 0 && args[0] == "child" {
		args, command = args[1:], child
	}
	err := command(ctx, args, os.Stdout, os.Stderr)
	if err == nil || errors.Is(err, flag.ErrHelp) {
		return
	}
	fmt.Fprintf(os.Stderr, "carillon-bench: %v\n", err)
	if errors.Is(err, errUsage) {
		os.Exit(2)
	}
	os.Exit(1)
}

// A config is the flags.
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

// addRows adds the rows that a value of --only names.
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

// measure is the command.
func measure(ctx context.Context, args []string, out, errOut io.Writer) error {
	fs, c := flags()
	switch err := fs.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(out, usage)
		printFlags(fs, out)
		return err
	case err != nil:
		return usagef("%w; carillon-bench --help lists the flags", err)
	case fs.NArg() > 0:
		return usagef("unexpected argument %q; carillon-bench --help lists the flags", fs.Arg(0))
	}
	if err := c.complete(); err != nil {
		return err
	}
	progress, done := showProgress(errOut)
	report, err := bench.Run(ctx, c.Config, progress)
	done()
	if ctx.Err() != nil {
		err = errors.New("interrupted before everything was measured")
	}
	if len(report.Results) == 0 && err != nil {
		return err
	}
	if err := errors.Join(err, c.write(report, out)); err != nil {
		return err
	}
	if faults := report.Faults(); len(faults) > 0 {
		return fmt.Errorf("%d measurements failed:\n  %s", len(faults), strings.Join(faults, "\n  "))
	}
	return nil
}

// printFlags lists the flags as the documents write them, with two dashes.
func printFlags(fs *flag.FlagSet, out io.Writer) {
	fs.VisitAll(func(f *flag.Flag) {
		kind, text := flag.UnquoteUsage(f)
		if !slices.Contains([]string{"", "false", "0", "0s"}, f.DefValue) {
			text += " (default " + f.DefValue + ")"
		}
		fmt.Fprintf(out, "  --%s\n        %s\n", strings.TrimSpace(f.Name+" "+kind), text)
	})
}

// complete sets what follows from the flags.
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

// findCarillon returns the path of the carillon to start: the one given, or the one beside this program, or that of $PATH.
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

// childEnv returns env without the variables that configure a server.
func childEnv(env []string) []string {
	return slices.DeleteFunc(slices.Clone(env), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		return strings.HasPrefix(name, "CARILLON_") || strings.HasPrefix(name, "DAPR_") ||
			name == "NAMESPACE" || name == "APP_API_TOKEN"
	})
}

// write prints the report, and writes it to the file of --json.
func (c *config) write(r bench.Report, out io.Writer) error {
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
