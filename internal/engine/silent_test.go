package engine

import (
	"log/slog"
	"testing"
	"time"

	"carillon/internal/job"
)

func TestDebugLinesCostNothingWhenTheyAreOff(t *testing.T) {
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelInfo})).With(slog.String("a", "b"))
	lp := newLoop([]int{0}, Config{Partitions: 1, Loops: 1, Inbox: 1, MaxInFlight: 1, Now: time.Now}, nil, nil, log, newMetrics(nil), newQuarantine(nil, log, nil), newGivenUp(log))
	ended := []*delivery{{outcome: job.Handled}, {outcome: job.Failed, follows: following{retry: true}}, {outcome: job.Lost}}
	ctx := t.Context()
	if n := testing.AllocsPerRun(100, func() {
		lp.tellDue(ctx, ended[0])
		lp.tellDelivered(ctx, ended[0])
		lp.tellEnded(ctx, ended)
		lp.reply(ctx, work{}, nil)
	}); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}
