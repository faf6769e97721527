package watch

import (
	"context"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"carillon/internal/terminal"
)

// Show calls do once, or with --watch at each interval until ctx ends, and then returns nil.
// separator stands between two documents in a pipe.
//
// A server that has answered once may restart: Show says that it does not answer, and goes on. Any
// other error of do ends it.
func (s *Settings) Show(ctx context.Context, std *terminal.Streams, separator string, do Print) error {
	if !s.on {
		return do(ctx, std)
	}
	var d display = &pipe{std: std, separator: separator}
	if std.Terminal {
		d = &screen{std: std, interval: s.interval}
	}
	return s.repeat(ctx, std, d, do)
}

// A display is where rounds are shown.
type display interface { // *pipe; *screen
	// show shows the output of a round.
	show(r round) error
	// lose says that the server does not answer any more, until the next round is shown.
	lose(why string) error
	// end leaves the place ready for others.
	end() error
}

// repeat shows a round at each interval, until ctx ends.
func (s *Settings) repeat(ctx context.Context, std *terminal.Streams, d display, do Print) error {
	ticker := time.NewTicker(s.interval)
	defer ticker.Stop()
	for answered := false; ; {
		r, err := capture(ctx, std, do)
		switch {
		case ctx.Err() != nil:
			return d.end()
		case err == nil:
			answered = true
			err = d.show(r)
		case answered && isTransient(err):
			err = d.lose(status.Convert(err).Message())
		}
		if err != nil {
			return err
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return d.end()
		}
	}
}

// isTransient reports whether the server may answer later.
func isTransient(err error) bool {
	switch status.Code(err) {
	case codes.Unavailable, codes.DeadlineExceeded, codes.ResourceExhausted:
		return true
	default:
		return false
	}
}
