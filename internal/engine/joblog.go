package engine

import (
	"context"
	"log/slog"
	"time"

	"carillon/internal/job"
	"carillon/internal/lograte"
)

// Lines about single jobs are for debugging, but for runs that are given up. Where they are off they cost a comparison
// each.

// debugging reports whether lines about single jobs are wanted.
func (lp *loop) debugging(ctx context.Context) bool { return lp.log.Enabled(ctx, slog.LevelDebug) }

// tellDone logs what has become of a command whose effects are committed.
func (lp *loop) tellDone(ctx context.Context, c *command) {
	attrs := c.key.Attrs()
	if c.spec == nil {
		lp.log.LogAttrs(ctx, slog.LevelDebug, "job deleted", attrs...)
		return
	}
	first, ok := c.spec.Plan.Next(0, time.Time{})
	if !ok {
		lp.log.LogAttrs(ctx, slog.LevelDebug, "job not stored: it ends before it is due", attrs...)
		return
	}
	lp.log.LogAttrs(ctx, slog.LevelDebug, "job scheduled", append(attrs, slog.Time("due", first))...)
}

// attrs name the attempt that d is.
func (d *delivery) attrs() []slog.Attr {
	return append(d.entry.Key.Attrs(), slog.Time("due", d.due), slog.Uint64("attempt", uint64(d.state.Attempts)))
}

func (lp *loop) tellDue(ctx context.Context, d *delivery) {
	if lp.debugging(ctx) {
		lp.log.LogAttrs(ctx, slog.LevelDebug, "trigger due", d.attrs()...)
	}
}

func (lp *loop) tellDelivered(ctx context.Context, d *delivery) {
	if lp.debugging(ctx) {
		lp.log.LogAttrs(ctx, slog.LevelDebug, "trigger delivered",
			append(d.attrs(), slog.Duration("late", d.left.Sub(d.entry.free())))...)
	}
}

// tellEnded logs how deliveries have ended, when that is committed: each at debug, and each run that is given up as a
// warning.
func (lp *loop) tellEnded(ctx context.Context, ended []*delivery) {
	debugging := lp.debugging(ctx)
	for _, d := range ended {
		gaveUp := d.outcome == job.Failed && !d.replaced && !d.follows.retry
		if !debugging && !gaveUp {
			continue
		}
		attrs := append(d.attrs(), slog.String("outcome", d.outcome.String()))
		if d.replaced {
			attrs = append(attrs, slog.Bool("replaced", true))
		}
		if !d.follows.due.IsZero() {
			attrs = append(attrs, slog.Time("next", d.follows.due))
		}
		if debugging {
			lp.log.LogAttrs(ctx, slog.LevelDebug, "trigger settled", attrs...)
		}
		if gaveUp {
			lp.givenUp.Warn(ctx, attrs...)
		}
	}
}

// newGivenUp returns the line about runs that are given up.
func newGivenUp(log *slog.Logger) *lograte.Line {
	return lograte.New(func(ctx context.Context, level slog.Level, attrs ...slog.Attr) {
		log.LogAttrs(ctx, level, "a run was given up: its attempts failed, and its policy allows no more", attrs...)
	})
}
