package main

import (
	"flag"
	"io"
	"log/slog"
	"strings"

	"carillon/internal/store"
	"carillon/internal/truncate"
)

// logConfig are the flags of logging, which all roles share.
type logConfig struct {
	level, file string
	json        bool
}

func (c *logConfig) flags(fs *flag.FlagSet) {
	fs.StringVar(&c.level, "log-level", "info", "minimum `level` to log: trace, debug, info, warn, error or fatal")
	fs.BoolVar(&c.json, "log-as-json", false, "log JSON objects, one per line")
	fs.StringVar(&c.file, "log-file", "", "append the log to `file` instead of writing it to the terminal")
}

// open returns a logger to w, or to the file in the flags until closeLog is called.
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
		return nil, usagef("--log-level %q is unknown: use trace, debug, info, warn, error or fatal", c.level)
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
