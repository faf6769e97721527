package engine

import (
	"context"
	"log/slog"
	"time"

	"carillon/internal/engine/machine"
	"carillon/internal/job"
	"carillon/internal/lograte"
)

// Log lines about single jobs are for debugging, except those about runs that are given up. While
// they are off, each costs a comparison.

// debugging reports whether lines about single jobs are on.
func (lp *loop) debugging(ctx context.Context) bool { return lp.log.Enabled(ctx, slog.LevelDebug) }

// logCommand logs a command whose effects are committed.
func (lp *loop) logCommand(ctx context.Context, c *command) {
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

// deliveryAttrs returns the attributes of the attempt of d.
func deliveryAttrs(d *machine.Delivery) []slog.Attr {
	return append(d.Attempt.Key.Attrs(), slog.Time("due", d.Due), slog.Uint64("attempt", uint64(d.State.Attempts)))
}

func (lp *loop) logDue(ctx context.Context, d *machine.Delivery) {
	if lp.debugging(ctx) {
		lp.log.LogAttrs(ctx, slog.LevelDebug, "trigger due", deliveryAttrs(d)...)
	}
}

func (lp *loop) logSent(ctx context.Context, d *machine.Delivery) {
	if lp.debugging(ctx) {
		lp.log.LogAttrs(ctx, slog.LevelDebug, "trigger delivered",
			append(deliveryAttrs(d), slog.Duration("late", d.SentAt.Sub(d.Attempt.ReadyAt())))...)
	}
}

// logEnded logs how deliveries have ended, once that is committed: each at debug level, and each
// run that is given up as a warning.
func (lp *loop) logEnded(ctx context.Context, ended []*machine.Delivery) {
	debugging := lp.debugging(ctx)
	for _, d := range ended {
		gaveUp := d.Outcome == job.Failed && !d.Replaced && !d.Next.Retry
		if !debugging && !gaveUp {
			continue
		}
		attrs := append(deliveryAttrs(d), slog.String("outcome", d.Outcome.String()))
		if d.Replaced {
			attrs = append(attrs, slog.Bool("replaced", true))
		}
		if !d.Next.Due.IsZero() {
			attrs = append(attrs, slog.Time("next", d.Next.Due))
		}
		if debugging {
			lp.log.LogAttrs(ctx, slog.LevelDebug, "trigger settled", attrs...)
		}
		if gaveUp {
			lp.givenUp.Warn(ctx, attrs...)
		}
	}
}

// newGivenUp returns the log line about runs that are given up.
func newGivenUp(log *slog.Logger) *lograte.Line {
	return lograte.New(func(ctx context.Context, level slog.Level, attrs ...slog.Attr) {
		log.LogAttrs(ctx, level, "a run was given up: its attempts failed, and its policy allows no more", attrs...)
	})
}
