// Package watch prints what a command shows again and again, until its user ends it.
//
// On a terminal each round replaces the one before on the screen. Elsewhere a round is written only
// if it differs from the last one that was: each change is a whole document, in the format of the
// command. So what is gone can be told from what stayed, and a program reads documents, not
// differences.
package watch

import (
	"time"

	"github.com/spf13/pflag"

	"carillon/internal/exit"
)

const (
	defaultInterval = 2 * time.Second
	minInterval     = 500 * time.Millisecond // so that no user overloads a server
)

// Flags are the flags of a command that can watch.
type Flags struct {
	on       bool
	interval time.Duration
}

// Add adds the flags to fs.
func (f *Flags) Add(fs *pflag.FlagSet) {
	fs.BoolVarP(&f.on, "watch", "w", false, "show it again when it changes, until Ctrl-C")
	fs.DurationVar(&f.interval, "interval", defaultInterval, "`duration` between two requests with --watch, at least 500ms")
}

// Check returns an error if the flags have a value that they may not have.
func (f *Flags) Check() error {
	if f.on && f.interval < minInterval {
		return exit.Usagef("--interval %v: it must be %v or more", f.interval, minInterval)
	}
	return nil
}
