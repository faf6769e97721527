package sidecar

import (
	"context"
	"log/slog"
	"sync"

	"carillon/internal/lograte"
)

// maxUnknownJobs is how many paths are remembered that an app does not know.
const maxUnknownJobs = 1000

// unknownJobs are the jobs that an app does not know: it answers their triggers with 404, or NotFound. As in Dapr such a
// trigger counts as handled, so nothing but this log, and failures in Dapr's metrics, says that no code ran. It is safe for
// concurrent use.
type unknownJobs struct {
	write func(ctx context.Context, level slog.Level, attrs ...slog.Attr)
	rest  *lograte.Line // of paths that are not remembered

	mu   sync.Mutex // guards the field below
	seen map[string]struct{}
}

func newUnknownJobs(log *slog.Logger) *unknownJobs {
	write := func(ctx context.Context, level slog.Level, attrs ...slog.Attr) {
		log.LogAttrs(ctx, level,
			"the app does not know a job: the trigger counts as handled, and no code has run; have the app answer this path, or delete the job",
			attrs...)
	}
	return &unknownJobs{write: write, rest: lograte.New(write), seen: make(map[string]struct{})}
}

// add logs that the app does not know the path, in a warning the first time. Beyond maxUnknownJobs of them, one warning a
// second tells of all others.
func (u *unknownJobs) add(ctx context.Context, path string, attrs ...slog.Attr) {
	attrs = append(attrs, slog.String("path", path))
	switch known, room := u.remember(path); {
	case known:
		u.write(ctx, slog.LevelDebug, attrs...)
	case room:
		u.write(ctx, slog.LevelWarn, attrs...)
	default:
		u.rest.Warn(ctx, attrs...)
	}
}

// remember reports whether the path is known, and, if not, whether there was room to remember it.
func (u *unknownJobs) remember(path string) (known, room bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if _, known = u.seen[path]; known {
		return true, false
	}
	if len(u.seen) == maxUnknownJobs {
		return false, false
	}
	u.seen[path] = struct{}{}
	return false, true
}

func (u *unknownJobs) close(ctx context.Context) { u.rest.Close(ctx) }
