package space_test

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"carillon/internal/job"
	"carillon/internal/store/space"
)

const mib = 1 << 20

func TestReserveIsHalfOfASmallDiskAndNoMoreThan128MiB(t *testing.T) {
	for total, want := range map[uint64]uint64{
		0: 128 * mib, 64 * mib: 32 * mib, 128 * mib: 64 * mib, 256 * mib: 128 * mib, 1 << 30: 128 * mib, 1 << 40: 128 * mib,
	} {
		if got := space.Reserve(total); got != want {
			t.Errorf("Reserve(%d MiB) = %d MiB, want %d", total/mib, got/mib, want/mib)
		}
	}
}

func TestSmallDiskIsFullAtHalfAndSaysTheFigures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := space.Usage{Total: 64 * mib}
		w := space.New(func() (space.Usage, error) { return u, nil }, slog.New(slog.DiscardHandler))
		for _, step := range []struct {
			free uint64
			full bool
		}{{63, false}, {33, false}, {31, true}, {33, true}, {39, true}, {40, false}, {33, false}} {
			u.Free = step.free * mib
			time.Sleep(10 * time.Millisecond)
			err := w.Full()
			if got := errors.Is(err, job.ErrFull); got != step.full {
				t.Errorf("with %d MiB free, Full() = %v, want full: %v", step.free, err, step.full)
			}
			if step.free == 31 && (err == nil || !strings.Contains(err.Error(), "31.0 MiB left of 64.0 MiB; new jobs are refused below 32.0 MiB, and accepted again from 40.0 MiB on")) {
				t.Errorf("the refusal lacks the figures: %v", err)
			}
		}
	})
}

func TestDiskThatCannotSayItsRoomIsNotFull(t *testing.T) {
	w := space.New(func() (space.Usage, error) { return space.Usage{}, errors.ErrUnsupported }, slog.New(slog.DiscardHandler))
	if err := w.Full(); err != nil {
		t.Error(err)
	}
	if u, err := space.Of(t.TempDir() + "/not/made/yet"); err == nil && (u.Total == 0 || u.Free > u.Total) {
		t.Errorf("the disk of a folder that is not there yet has %+v", u)
	}
}
