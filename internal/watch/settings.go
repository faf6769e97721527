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

// Settings are what the flags of a command that can watch say.
type Settings struct {
	on       bool
	interval time.Duration
}

// Add adds the flags to fs.
func (s *Settings) Add(fs *pflag.FlagSet) {
	fs.BoolVarP(&s.on, "watch", "w", false, "show it again when it changes, until Ctrl-C")
	fs.DurationVar(&s.interval, "interval", defaultInterval, "`duration` between two requests with --watch, at least 500ms")
}

// Check returns an error if the flags have a value that they may not have.
func (s *Settings) Check() error {
	if s.on && s.interval < minInterval {
		return exit.Usagef("--interval %v: it must be %v or more", s.interval, minInterval)
	}
	return nil
}
