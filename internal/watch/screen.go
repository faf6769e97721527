package watch

import (
	"fmt"
	"io"
	"strings"
	"time"

	"carillon/internal/terminal"
)

// Control sequences of terminals (ECMA-48).
const (
	clearAll  = "\x1b[2J"
	home      = "\x1b[H"
	clearLine = "\x1b[K" // from the cursor on
	clearRest = "\x1b[J" // of the screen
	noWrap    = "\x1b[?7l"
	wrap      = "\x1b[?7h"
)

// screen draws each round over the one before, in one write: the screen does not flicker.
type screen struct {
	std      *terminal.Streams
	interval time.Duration

	begun bool
	shown round
	at    time.Time // of the last round
}

// show implements [display].
func (s *screen) show(r round) error {
	s.shown, s.at = r, s.std.Now()
	return s.draw(fmt.Sprintf("Every %v; Ctrl-C ends it.", s.interval))
}

// lose implements [display]. What the server last said stays on the screen.
func (s *screen) lose(why string) error {
	at := s.at.In(s.std.Zone).Format(time.TimeOnly) //nolint:forbidigo // for a person to read
	return s.draw(fmt.Sprintf("As of %s: %s; waiting for it.", at, why))
}

// end implements [display].
func (s *screen) end() error {
	_, err := io.WriteString(s.std.Out, "\n") // behind the ^C that a terminal shows
	return err
}

// draw draws a line and the last round below it.
func (s *screen) draw(head string) error {
	lines := append([]string{head, ""}, linesOf(s.shown.out+s.shown.errs)...)
	if height := s.std.Height; height > 2 && len(lines) >= height {
		left := len(lines) - height + 2 // the cursor is below the last line
		lines = append(lines[:len(lines)-left], fmt.Sprintf("… and %d more lines", left))
	}
	var b strings.Builder
	if !s.begun {
		b.WriteString(clearAll)
	}
	s.begun = true
	b.WriteString(noWrap + home)
	for _, line := range lines {
		b.WriteString(line + clearLine + "\n")
	}
	b.WriteString(clearRest + wrap)
	_, err := io.WriteString(s.std.Out, b.String())
	return err
}

// linesOf returns the lines of text without their ends.
func linesOf(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}
