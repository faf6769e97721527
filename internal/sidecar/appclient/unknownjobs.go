package appclient

import (
	"context"
	"log/slog"
	"sync"

	"carillon/internal/lograte"
)

// maxUnknownJobs is how many paths unknownJobs remembers.
const maxUnknownJobs = 1000

// unknownJobs logs the jobs that an app does not know, once per path. The app answers their
// triggers with 404 or NotFound, and as in Dapr such a trigger counts as handled. So only this log
// and Dapr's metrics show that no code ran. It is safe for concurrent use.
type unknownJobs struct {
	write func(ctx context.Context, level slog.Level, attrs ...slog.Attr)
	rest  *lograte.Line // for paths beyond maxUnknownJobs

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

// add logs a path: as a warning the first time, then at debug level. Paths beyond maxUnknownJobs
// share one warning per second.
func (u *unknownJobs) add(ctx context.Context, path string, attrs ...slog.Attr) {
	attrs = append(attrs, slog.String("path", path))
	switch known, added := u.remember(path); {
	case known:
		u.write(ctx, slog.LevelDebug, attrs...)
	case added:
		u.write(ctx, slog.LevelWarn, attrs...)
	default:
		u.rest.Warn(ctx, attrs...)
	}
}

// remember reports whether the path was known, and if not, whether it was added.
func (u *unknownJobs) remember(path string) (known, added bool) {
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
