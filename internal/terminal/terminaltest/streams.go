// Package terminaltest has streams for the tests of commands.
package terminaltest

import (
	"bytes"
	"time"

	"carillon/internal/terminal"
)

// Streams returns streams that are no terminal, without environment variables, in UTC. What a command writes
// is in out and errs.
func Streams() (s *terminal.Streams, out, errs *bytes.Buffer) {
	out, errs = new(bytes.Buffer), new(bytes.Buffer)
	return &terminal.Streams{
		Out: out, Err: errs, Width: terminal.DefaultWidth, Zone: time.UTC, Now: time.Now,
		Env: func(string) (string, bool) { return "", false },
	}, out, errs
}
