package nodecmd

import (
	"io"
	"log/slog"
	"strings"

	"carillon/internal/exit"
	"carillon/internal/store"
	"carillon/internal/truncate"
)

// LogFlags are the flags of logging, which all nodes share.
type LogFlags struct {
	Level, File string
	JSON        bool
}

// Flags adds the flags to fs.
func (c *LogFlags) Flags(fs FlagSet) {
	fs.StringVar(&c.Level, "log-level", "info", "minimum `level` to log: trace, debug, info, warn, error or fatal")
	fs.BoolVar(&c.JSON, "log-as-json", false, "log JSON objects, one per line")
	fs.StringVar(&c.File, "log-file", "", "append the log to `file` instead of writing it to the terminal")
}

// Open returns a logger to w, or to the file in the flags until closeLog is called.
func (c *LogFlags) Open(w io.Writer) (log *slog.Logger, closeLog func(), err error) {
	if c.File == "" {
		log, err = c.logger(w)
		return log, func() {}, err
	}
	f, err := openLogFile(c.File)
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
func (c *LogFlags) logger(w io.Writer) (*slog.Logger, error) {
	levels := map[string]slog.Level{
		"trace": store.LevelTrace, "debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError,
		"fatal": LevelFatal,
	}
	level, ok := levels[strings.ToLower(c.Level)]
	if !ok {
		return nil, exit.Usagef("--log-level %q is unknown: use trace, debug, info, warn, error or fatal", c.Level)
	}
	options := &slog.HandlerOptions{Level: level, ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if l, ok := a.Value.Any().(slog.Level); ok && len(groups) == 0 {
			return slog.String(a.Key, levelName(l))
		}
		return truncate.Attr(a)
	}}
	if c.JSON {
		return slog.New(slog.NewJSONHandler(w, options)), nil
	}
	return slog.New(slog.NewTextHandler(quotedTime{w}, options)), nil
}
