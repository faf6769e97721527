package watch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"carillon/internal/exit"
	"carillon/internal/terminal"
	"carillon/internal/terminal/terminaltest"
)

// An answer is what a server says to one request.
type answer struct {
	out, errs string
	err       error
}

// watched returns what Show writes for these answers, of which the last one is repeated, until
// Ctrl-C after a time.
func watched(t *testing.T, std *terminal.Streams, f *Settings, after time.Duration, answers ...answer) (calls int, err error) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), after)
		defer cancel()
		err = f.Show(ctx, std, "---\n", func(_ context.Context, s *terminal.Streams) error {
			a := answers[min(calls, len(answers)-1)]
			calls++
			fmt.Fprint(s.Out, a.out)
			fmt.Fprint(s.Err, a.errs)
			return a.err
		})
	})
	return calls, err
}

func every(interval time.Duration) *Settings { return &Settings{on: true, interval: interval} }

func TestEachChangeIsADocument(t *testing.T) {
	std, out, errs := terminaltest.Streams()
	calls, err := watched(t, std, every(time.Second), 6500*time.Millisecond,
		answer{out: "a\n"}, answer{out: "a\n", errs: "some are missing\n"}, answer{out: "b\n", errs: "some are missing\n"},
		answer{out: "b\n"}, answer{}, answer{out: "b\n"})
	if want := "a\n---\nb\n---\n---\nb\n"; err != nil || calls != 7 || out.String() != want || errs.String() != "some are missing\n" {
		t.Errorf("%d calls, %v: %q and %q, want %q", calls, err, out, errs, want)
	}
}

func TestWithoutWatchItIsShownOnce(t *testing.T) {
	std, out, _ := terminaltest.Streams()
	failed := errors.New("failed")
	if calls, err := watched(t, std, &Settings{interval: time.Second}, time.Minute, answer{"a\n", "", failed}); calls != 1 || !errors.Is(err, failed) || out.String() != "a\n" {
		t.Errorf("%d calls, %v: %q", calls, err, out)
	}
}

func TestRestartOfTheServerIsSurvived(t *testing.T) {
	gone := answer{err: status.Error(codes.Unavailable, "no server answers")}
	std, out, errs := terminaltest.Streams()
	_, err := watched(t, std, every(time.Second), 10*time.Second, answer{out: "a\n"}, gone, gone, answer{out: "a\n"}, gone, answer{out: "b\n"})
	const once = "warning: no server answers; waiting for it\nthe server answers again\n"
	if err != nil || out.String() != "a\n---\nb\n" || errs.String() != once+once {
		t.Errorf("%v: %q and %q", err, out, errs)
	}
	std, out, _ = terminaltest.Streams()
	std.Terminal, std.Now = true, func() time.Time { return time.Date(2026, 12, 1, 10, 42, 3, 0, time.UTC) }
	if _, err := watched(t, std, every(time.Second), 1500*time.Millisecond, answer{out: "a\n"}, gone); err != nil {
		t.Error(err)
	}
	if last := lastScreen(out); last != "As of 10:42:03: no server answers; waiting for it.\n\na\n" {
		t.Errorf("the screen is %q", last)
	}
}

func TestOtherErrorsEndIt(t *testing.T) {
	for name, answers := range map[string][]answer{
		"no server at the start":  {{err: status.Error(codes.Unavailable, "no server answers")}},
		"the job has ended":       {{out: "a\n"}, {err: errors.New("not found")}},
		"the token is taken back": {{out: "a\n"}, {err: status.Error(codes.Unauthenticated, "unknown token")}},
	} {
		std, _, _ := terminaltest.Streams()
		if calls, err := watched(t, std, every(time.Second), time.Minute, answers...); calls != len(answers) || err == nil {
			t.Errorf("%s: %d calls, %v", name, calls, err)
		}
	}
}

// Ctrl-C may interrupt a call.
func TestCtrlCEndsItWithoutAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		std, _, _ := terminaltest.Streams()
		ctx, interrupt := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, interrupt)
		err := every(time.Second).Show(ctx, std, "", func(ctx context.Context, _ *terminal.Streams) error {
			<-ctx.Done()
			return status.FromContextError(ctx.Err()).Err()
		})
		if err != nil {
			t.Error(err)
		}
	})
}

// lastScreen returns the text of what was drawn last, without control sequences.
func lastScreen(out *bytes.Buffer) string {
	all := strings.Split(out.String(), home)
	text := all[len(all)-1]
	text, _, _ = strings.Cut(text, clearRest)
	return strings.ReplaceAll(text, clearLine, "")
}

func TestScreenFitsTheTerminal(t *testing.T) {
	ten := strings.Repeat("line\n", 10)
	for height, want := range map[int]string{
		0: "Every 2s; Ctrl-C ends it.\n\n" + ten, 20: "Every 2s; Ctrl-C ends it.\n\n" + ten, 13: "Every 2s; Ctrl-C ends it.\n\n" + ten,
		12: "Every 2s; Ctrl-C ends it.\n\n" + strings.Repeat("line\n", 8) + "… and 2 more lines\n",
	} {
		std, out, _ := terminaltest.Streams()
		std.Terminal, std.Height = true, height
		if _, err := watched(t, std, every(2*time.Second), 3*time.Second, answer{out: "before\n"}, answer{out: ten}); err != nil {
			t.Error(err)
		}
		if got := lastScreen(out); got != want {
			t.Errorf("height %d: %q, want %q", height, got, want)
		}
	}
}

func TestWriteErrorEndsIt(t *testing.T) {
	for _, isTerminal := range []bool{false, true} {
		std, _, _ := terminaltest.Streams()
		std.Terminal, std.Out = isTerminal, closedWriter{}
		if calls, err := watched(t, std, every(time.Second), time.Minute, answer{out: "a\n"}); calls != 1 || !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("%d calls, %v", calls, err)
		}
	}
}

// closedWriter is a stream that nobody reads.
type closedWriter struct{}

func (closedWriter) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestShortIntervalIsRefused(t *testing.T) {
	for interval, want := range map[time.Duration]int{499 * time.Millisecond: exit.Usage, -time.Second: exit.Usage, 500 * time.Millisecond: exit.OK} {
		if code, line := exit.Of(every(interval).Check()); code != want {
			t.Errorf("--interval %v: %d, %s", interval, code, line)
		}
	}
	if err := new(Settings).Check(); err != nil {
		t.Errorf("without --watch: %v", err)
	}
}
