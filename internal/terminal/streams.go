// Package terminal is what a command knows about the place where it runs: its standard streams, whether a
// person reads them, environment variables, time zone and clock. Commands receive all of it as one value, so
// that a test can replace each part.
package terminal

import (
	"io"
	"os"
	"time"
)

// Streams are the standard streams of a command and their surroundings.
type Streams struct {
	In       *os.File // nil if there is none
	Out, Err io.Writer
	Env      func(name string) (value string, ok bool)

	Terminal bool // Out is a terminal: a person reads it
	Width    int  // of Out, in columns
	Height   int  // of Out, in lines; 0 if that is not known
	Color    bool // Out may have colors

	Zone *time.Location // of the user
	Now  func() time.Time
}

// Standard returns the streams of this process.
func Standard() *Streams {
	s := &Streams{
		In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Env: os.LookupEnv,
		Width: DefaultWidth, Zone: time.Local, Now: time.Now,
	}
	if s.Terminal = Is(os.Stdout); s.Terminal {
		s.Width, s.Height = sizeOf(os.Stdout)
		s.Color = colorAllowed(s.Env)
	}
	return s
}

// Is reports whether f is a terminal: a character device other than the null device.
func Is(f *os.File) bool {
	info, err := f.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return false
	}
	null, err := os.Stat(os.DevNull)
	return err != nil || !os.SameFile(info, null)
}

// colorAllowed reports whether the environment allows colors on a terminal (https://no-color.org).
func colorAllowed(env func(string) (string, bool)) bool {
	no, _ := env("NO_COLOR")
	kind, _ := env("TERM")
	return no == "" && kind != "dumb"
}
