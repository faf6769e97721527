package main

import (
	"context"
	"flag"
	"log/slog"

	"carillon/internal/memory"
)

// A memoryConfig is the flag about memory, which all roles share.
type memoryConfig struct{ limit string }

func (c *memoryConfig) flags(fs *flag.FlagSet) {
	fs.StringVar(&c.limit, "memory-limit", "",
		"`size` of the memory that the process may use, such as 512Mi (default: the limit of its cgroup, or else half of the machine's memory, 2Gi at most)")
}

// apply finds the limit, holds Go's runtime to its share until release is called, logs all shares
// and returns them.
func (c *memoryConfig) apply(ctx context.Context, role memory.Role, std stdio, log *slog.Logger) (s memory.Shares, release func(), err error) {
	var given int64
	if c.limit != "" {
		if given, err = bytesOf(c.limit); err != nil {
			return s, nil, usagef("--memory-limit %s: %v", c.limit, err)
		}
	}
	l := memory.Find(given)
	if s, err = l.Divide(role); err != nil {
		return s, nil, err
	}
	attrs := s.Attrs(l)
	goLimit, set := std.Env("GOMEMLIMIT")
	set = set && goLimit != ""
	if set {
		attrs = append(attrs, slog.String("gomemlimit", goLimit))
	}
	log.LogAttrs(ctx, slog.LevelInfo, "memory", attrs...)
	return s, s.Apply(set), nil
}
