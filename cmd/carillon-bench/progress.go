package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"carillon/internal/bench"
)

// showProgress returns functions that print the progress: a line for each step, and on a terminal
// also what the step does. done clears the last line of a terminal.
func showProgress(w io.Writer) (progress func(bench.Progress), done func()) {
	if !isTerminal(w) {
		return func(p bench.Progress) {
			if p.Doing == "" {
				fmt.Fprintln(w, progressLine(p))
			}
		}, func() {}
	}
	const clearLine = "\r\x1b[K"
	return func(p bench.Progress) { fmt.Fprint(w, clearLine, progressLine(p)) }, func() { fmt.Fprint(w, clearLine) }
}

// isTerminal reports whether w is a character device.
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
	return fmt.Sprintf("[%d/%d] %s (%v elapsed, about %v left)",
		p.Step, p.Steps, doing, p.Elapsed.Round(time.Second), p.Remaining.Round(time.Second))
}
