package main

import (
	"context"
	"flag"
	"log/slog"

	"carillon/internal/memory"
)

// memoryConfig is the flag of the memory limit, which all roles share.
type memoryConfig struct{ limit string }

func (c *memoryConfig) flags(fs *flag.FlagSet) {
	fs.StringVar(&c.limit, "memory-limit", "",
		"memory limit: `size` of the memory that the process may use, such as 512Mi (default: the limit of its cgroup, else half of the machine's memory, 2Gi at most)")
}

// apply divides the memory limit, logs the shares and returns them. It sets the limit of the Go runtime until
// release is called.
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
