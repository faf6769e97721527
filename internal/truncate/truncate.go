// Package truncate truncates errors, log values and names that repeat input of a client. A client
// that sends four megabytes must not get four megabytes back, nor fill the log with them.
package truncate

import (
	"log/slog"
	"strings"
)

const (
	// Max is the maximum size, in bytes, of an error or a name that repeats input. A gRPC status is
	// sent in a header, of which clients accept 8 KiB, and percent-encoding triples characters that
	// are not ASCII. Headers are not subject to flow control.
	Max = 2 << 10
	// MaxLog is the maximum size, in bytes, of a value in the log. The stack of a panic fits in it.
	MaxLog = 8 << 10

	mark = " … "
)

// Text returns s, without its middle if it has more than [Max] bytes: the end often says what is
// wrong.
func Text(s string) string { return To(s, Max) }

// To is Text for another maximum size. Three quarters of the result are the beginning of s, and the
// rest its end.
func To(s string, size int) string {
	if len(s) <= size {
		return s
	}
	size -= len(mark)
	end := size / 4
	return strings.ToValidUTF8(s[:size-end], "") + mark + strings.ToValidUTF8(s[len(s)-end:], "")
}

// Attr returns a with its text or error truncated to [MaxLog] bytes. As the ReplaceAttr of
// [slog.HandlerOptions] it applies to everything that the program logs.
func Attr(a slog.Attr) slog.Attr {
	switch a.Value.Kind() {
	case slog.KindString:
		if s := a.Value.String(); len(s) > MaxLog {
			a.Value = slog.StringValue(To(s, MaxLog))
		}
	case slog.KindAny:
		if err, ok := a.Value.Any().(error); ok {
			if s := err.Error(); len(s) > MaxLog {
				a.Value = slog.StringValue(To(s, MaxLog))
			}
		}
	default: // of a fixed size, or a group, whose members are passed one by one
	}
	if len(a.Key) > Max {
		a.Key = Text(a.Key)
	}
	return a
}
