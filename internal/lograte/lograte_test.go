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

func TestFirstWarningIsLoggedAtOnceAndOthersTogether(t *testing.T) {
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
