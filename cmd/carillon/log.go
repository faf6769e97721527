package main

import (
	"flag"
	"io"
	"log/slog"
)

// A logConfig is the flags about logs, which all roles share.
type logConfig struct {
	level string
	json  bool
}

func (c *logConfig) flags(fs *flag.FlagSet) {
	fs.StringVar(&c.level, "log-level", "info", "least severe `level` to log: debug, info, warn, error or fatal")
	fs.BoolVar(&c.json, "log-as-json", false, "log JSON objects, one a line")
}

// logger returns a logger to w. Nothing is logged at fatal, so that level is silence.
func (c *logConfig) logger(w io.Writer) (*slog.Logger, error) {
	levels := map[string]slog.Level{
		"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError,
		"fatal": slog.LevelError + 4,
	}
	level, ok := levels[c.level]
	if !ok {
		return nil, usagef("--log-level: %q is none of debug, info, warn, error and fatal", c.level)
	}
	options := &slog.HandlerOptions{Level: level}
	if c.json {
		return slog.New(slog.NewJSONHandler(w, options)), nil
	}
	return slog.New(slog.NewTextHandler(w, options)), nil
}
