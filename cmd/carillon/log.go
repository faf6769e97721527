package main

import (
	"bytes"
	"flag"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"

	"carillon/internal/store"
	"carillon/internal/truncate"
)

// A logConfig is the flags about logs, which all roles share.
type logConfig struct {
	level, file string
	json        bool
}

// levelFatal is that of the line which says why the process ends. Nothing else is logged so high.
const levelFatal = slog.LevelError + 4

func (c *logConfig) flags(fs *flag.FlagSet) {
	fs.StringVar(&c.level, "log-level", "info", "least severe `level` to log: trace, debug, info, warn, error or fatal")
	fs.BoolVar(&c.json, "log-as-json", false, "log JSON objects, one a line")
	fs.StringVar(&c.file, "log-file", "", "`file` to which the log is appended, instead of the terminal")
}

// open returns a logger to w, or to the file that the flags name, until it is closed.
func (c *logConfig) open(w io.Writer) (log *slog.Logger, closeLog func(), err error) {
	if c.file == "" {
		log, err = c.logger(w)
		return log, func() {}, err
	}
	f, err := openLogFile(c.file)
	if err != nil {
		return nil, nil, err
	}
	if log, err = c.logger(f); err != nil {
		f.Close()
		return nil, nil, err
	}
	return log, f.Close, nil
}

// logger returns a logger to w.
func (c *logConfig) logger(w io.Writer) (*slog.Logger, error) {
	levels := map[string]slog.Level{
		"trace": store.LevelTrace, "debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError,
		"fatal": levelFatal,
	}
	level, ok := levels[strings.ToLower(c.level)]
	if !ok {
		return nil, usagef("--log-level: %q is none of trace, debug, info, warn, error and fatal", c.level)
	}
	options := &slog.HandlerOptions{Level: level, ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if l, ok := a.Value.Any().(slog.Level); ok && len(groups) == 0 {
			return slog.String(a.Key, levelName(l))
		}
		return truncate.Attr(a)
	}}
	if c.json {
		return slog.New(slog.NewJSONHandler(w, options)), nil
	}
	return slog.New(slog.NewTextHandler(quotedTime{w}, options)), nil
}

// asDapr returns log with the attributes that each line of Dapr's has (sidecar specification §5.6).
func asDapr(log *slog.Logger, scope string) *slog.Logger {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return log.With(slog.String("instance", host), slog.String("scope", scope), slog.String("type", "log"), slog.String("ver", daprVersion))
}

// levelName is what Dapr calls a level (sidecar specification §5.6).
func levelName(l slog.Level) string {
	switch {
	case l >= levelFatal:
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

// quotedTime writes lines of [slog.TextHandler] with the time in quotes, as in Dapr's logs.
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
