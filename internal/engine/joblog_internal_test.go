package engine

import (
	"log/slog"
	"testing"
	"time"

	"carillon/internal/engine/machine"
	"carillon/internal/engine/quarantine"
	"carillon/internal/job"
)

func TestDisabledDebugLogDoesNotAllocate(t *testing.T) {
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelInfo})).With(slog.String("a", "b"))
	lp := newLoop([]int{0}, Config{Partitions: 1, Loops: 1, Inbox: 1, MaxInFlight: 1, Now: time.Now}, nil, nil, nil, log, newMetrics(nil), quarantine.New(nil, 1, log, nil), newGivenUp(log))
	ended := []*machine.Delivery{{Outcome: job.Handled}, {Outcome: job.Failed, Next: machine.NextAttempt{Retry: true}}, {Outcome: job.Lost}}
	ctx := t.Context()
	if n := testing.AllocsPerRun(100, func() {
		lp.logDue(ctx, ended[0])
		lp.logSent(ctx, ended[0])
		lp.logEnded(ctx, ended)
		lp.reply(ctx, work{}, nil)
	}); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}
