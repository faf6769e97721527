package truncate_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"unicode/utf8"

	"carillon/internal/truncate"
)

func TestLongTextKeepsBeginAndEnd(t *testing.T) {
	for _, s := range []string{"", "short", strings.Repeat("x", truncate.Max)} {
		if got := truncate.Text(s); got != s {
			t.Errorf("Text(%d bytes) = %d bytes, want it unchanged", len(s), len(got))
		}
	}
	for _, middle := range []string{"x", "ä", "\xff"} {
		got := truncate.Text("begin " + strings.Repeat(middle, 3<<20) + " end")
		if len(got) > truncate.Max || !utf8.ValidString(got) || !strings.HasPrefix(got, "begin ") || !strings.HasSuffix(got, " end") {
			t.Errorf("Text(a long text of %q) = %d bytes, %.20q…, want its begin and its end in %d", middle, len(got), got, truncate.Max)
		}
	}
}

func TestLogValuesAreBounded(t *testing.T) {
	long := strings.Repeat("long ", 1<<20)
	for name, handler := range map[string]func(*bytes.Buffer, *slog.HandlerOptions) slog.Handler{
		"text": func(b *bytes.Buffer, o *slog.HandlerOptions) slog.Handler { return slog.NewTextHandler(b, o) },
		"json": func(b *bytes.Buffer, o *slog.HandlerOptions) slog.Handler { return slog.NewJSONHandler(b, o) },
	} {
		var out bytes.Buffer
		options := &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr { return truncate.Attr(a) }}
		log := slog.New(handler(&out, options)).With(slog.String("with", long))
		log.Info("message", slog.String("string", long), slog.Any("err", errors.New(long)), slog.Group("in", slog.String("group", long)), slog.Any(long, 1))
		if n := out.Len(); n > 6*truncate.MaxLog || n < truncate.MaxLog {
			t.Errorf("%s: a line has %d bytes, want %d at most for each value", name, n, truncate.MaxLog)
		}
	}
}
