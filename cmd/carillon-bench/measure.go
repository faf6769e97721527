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
	"strings"

	"carillon/internal/bench"
)

// measure runs the measurements and prints the report.
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
