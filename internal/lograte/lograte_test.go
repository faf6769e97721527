package lograte_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"carillon/internal/lograte"
)

func TestFirstWarningIsLoggedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []string
		l := lograte.New(func(_ context.Context, level slog.Level, attrs ...slog.Attr) {
			if level == slog.LevelWarn {
				got = append(got, fmt.Sprint(attrs))
			}
		})
		for i := range 5 {
			l.Warn(t.Context(), slog.Int("n", i))
		}
		time.Sleep(time.Minute)
		l.Warn(t.Context(), slog.Int("n", 5))
		l.Warn(t.Context(), slog.Int("n", 6))
		l.Close(t.Context())
		if want := []string{"[n=0]", "[count=4 n=4]", "[n=5]", "[count=1 n=6]"}; !slices.Equal(got, want) {
			t.Errorf("logged %q, want %q", got, want)
		}
	})
}

func TestFirstFewWarningsAreLoggedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []string
		l := lograte.NewFew(2, func(_ context.Context, level slog.Level, attrs ...slog.Attr) {
			if level == slog.LevelWarn {
				got = append(got, fmt.Sprint(attrs))
			}
		})
		for i := range 5 {
			l.Warn(t.Context(), slog.Int("n", i))
		}
		time.Sleep(lograte.Pause + 1)
		l.Warn(t.Context(), slog.Int("n", 5))
		time.Sleep(time.Minute)
		for i := range 3 {
			l.Warn(t.Context(), slog.Int("n", 6+i))
		}
		l.Close(t.Context())
		if want := []string{"[n=0]", "[n=1]", "[count=3 n=4]", "[count=1 n=5]", "[n=6]", "[n=7]", "[count=1 n=8]"}; !slices.Equal(got, want) {
			t.Errorf("logged %q, want %q", got, want)
		}
	})
}
