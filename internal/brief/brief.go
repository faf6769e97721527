// Package brief shortens what repeats the words of others: a message, an entry of a log, a name in an answer. A client
// that sends four megabytes must not get four megabytes back, nor have them written to the log.
package brief

import (
	"log/slog"
	"strings"
)

const (
	// Max is how many bytes an error or a name has at most that repeats what a caller sent. A status travels in a header:
	// clients take 8 KiB of those, in which a character of another alphabet takes three times its bytes; and no window
	// bounds what waits for a client that reads none.
	Max = 2 << 10
	// MaxLog is how many bytes a value in the log has at most: room for the stack of a panic.
	MaxLog = 8 << 10

	mark = " … "
)

// Text returns s. If it has more than [Max] bytes, its middle is left out: its end often says what is wrong.
func Text(s string) string { return To(s, Max) }

// To is Text for another bound: three quarters of it are from the beginning, and the rest from the end.
func To(s string, most int) string {
	if len(s) <= most {
		return s
	}
	most -= len(mark)
	end := most / 4
	return strings.ToValidUTF8(s[:most-end], "") + mark + strings.ToValidUTF8(s[len(s)-end:], "")
}

// Attr returns a with a text or an error of [MaxLog] bytes at most. It is for the ReplaceAttr of [slog.HandlerOptions],
// so that it sees what every part of the program logs.
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
	default: // of a fixed size, or a group, whose members come one by one
	}
	if len(a.Key) > Max {
		a.Key = Text(a.Key)
	}
	return a
}
