package nodecmd

import (
	"context"
	"log/slog"

	"carillon/internal/exit"
	"carillon/internal/flagvalue"
	"carillon/internal/memory"
	"carillon/internal/terminal"
)

// MemoryFlags is the flag of the memory limit, which all nodes share.
type MemoryFlags struct {
	// Bytes is the limit. Apply sets it.
	Bytes int64
	limit string
}

// Flags adds the flag to fs.
func (c *MemoryFlags) Flags(fs FlagSet) {
	fs.StringVar(&c.limit, "memory-limit", "",
		"memory limit: `size` of the memory that the process may use, such as 512Mi (default: the limit of its cgroup, else half of the machine's memory, 2Gi at most)")
}

// Apply divides the memory limit, logs the shares and returns them. It sets the limit of the Go runtime until
// release is called.
func (c *MemoryFlags) Apply(ctx context.Context, kind memory.ProcessKind, std *terminal.Streams, log *slog.Logger) (s memory.Shares, release func(), err error) {
	var given int64
	if c.limit != "" {
		if given, err = flagvalue.Bytes(c.limit); err != nil {
			return s, nil, exit.Usagef("--memory-limit %s: %v", c.limit, err)
		}
	}
	l := memory.Find(given)
	if s, err = l.Divide(kind); err != nil {
		return s, nil, err
	}
	c.Bytes = l.Bytes
	attrs := s.Attrs(l)
	goLimit, set := std.Env("GOMEMLIMIT")
	set = set && goLimit != ""
	if set {
		attrs = append(attrs, slog.String("gomemlimit", goLimit))
	}
	log.LogAttrs(ctx, slog.LevelInfo, "memory", attrs...)
	return s, s.Apply(set), nil
}
