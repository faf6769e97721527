package brief_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"unicode/utf8"

	"carillon/internal/brief"
)

func TestLongTextsKeepTheirBeginAndTheirEnd(t *testing.T) {
	for _, s := range []string{"", "short", strings.Repeat("x", brief.Max)} {
		if got := brief.Text(s); got != s {
			t.Errorf("Text(%d bytes) = %d bytes, want it unchanged", len(s), len(got))
		}
	}
	for _, middle := range []string{"x", "ä", "\xff"} {
		got := brief.Text("begin " + strings.Repeat(middle, 3<<20) + " end")
		if len(got) > brief.Max || !utf8.ValidString(got) || !strings.HasPrefix(got, "begin ") || !strings.HasSuffix(got, " end") {
			t.Errorf("Text(a long text of %q) = %d bytes, %.20q…, want its begin and its end in %d", middle, len(got), got, brief.Max)
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
		options := &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr { return brief.Attr(a) }}
		log := slog.New(handler(&out, options)).With(slog.String("with", long))
		log.Info("message", slog.String("string", long), slog.Any("err", errors.New(long)), slog.Group("in", slog.String("group", long)), slog.Any(long, 1))
		if n := out.Len(); n > 6*brief.MaxLog || n < brief.MaxLog {
			t.Errorf("%s: a line has %d bytes, want %d at most for each value", name, n, brief.MaxLog)
		}
	}
}
