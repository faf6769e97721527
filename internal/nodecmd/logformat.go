package nodecmd

import (
	"bytes"
	"io"
	"log/slog"
	"os"
	"slices"
)

// LevelFatal is the level of the line that says why the process ends, and of no other line.
const LevelFatal = slog.LevelError + 4

// AsDapr returns log with the attributes of each line of Dapr's logs (sidecar specification §5.6).
func AsDapr(log *slog.Logger, scope string) *slog.Logger {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return log.With(slog.String("instance", host), slog.String("scope", scope), slog.String("type", "log"), slog.String("ver", DaprVersion))
}

// levelName returns Dapr's name of a level (sidecar specification §5.6).
func levelName(l slog.Level) string {
	switch {
	case l >= LevelFatal:
		return "fatal"
	case l >= slog.LevelError:
		return "error"
	case l >= slog.LevelWarn:
		return "warning"
	case l >= slog.LevelInfo:
		return "info"
	case l >= slog.LevelDebug:
		return "debug"
	default:
		return "trace"
	}
}

// quotedTime writes the lines of a [slog.TextHandler] with the time in quotes, as in Dapr's logs.
type quotedTime struct{ w io.Writer }

// Write is [io.Writer.Write]. b is one line.
func (q quotedTime) Write(b []byte) (int, error) {
	const key = "time="
	if at, rest, ok := bytes.Cut(b, []byte(" ")); ok && bytes.HasPrefix(at, []byte(key)) {
		line := slices.Concat([]byte(key+`"`), at[len(key):], []byte(`" `), rest)
		if _, err := q.w.Write(line); err != nil {
			return 0, err
		}
		return len(b), nil
	}
	return q.w.Write(b)
}
