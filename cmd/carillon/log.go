package main

import (
	"flag"
	"io"
	"log/slog"
	"strings"
)

// A logConfig is the flags about logs, which all roles share.
type logConfig struct {
	level, file string
	json        bool
}

// levelFatal is that of the line which says why the process ends. Nothing else is logged so high.
const levelFatal = slog.LevelError + 4

func (c *logConfig) flags(fs *flag.FlagSet) {
	fs.StringVar(&c.level, "log-level", "info", "least severe `level` to log: debug, info, warn, error or fatal")
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
		"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError,
		"fatal": levelFatal,
	}
	level, ok := levels[strings.ToLower(c.level)]
	if !ok {
		return nil, usagef("--log-level: %q is none of debug, info, warn, error and fatal", c.level)
	}
	options := &slog.HandlerOptions{Level: level, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if l, ok := a.Value.Any().(slog.Level); ok && l == levelFatal {
			return slog.String(a.Key, "FATAL")
		}
		return a
	}}
	if c.json {
		return slog.New(slog.NewJSONHandler(w, options)), nil
	}
	return slog.New(slog.NewTextHandler(w, options)), nil
}
