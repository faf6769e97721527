package wire_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"carillon/internal/job"
	"carillon/internal/wire"
)

func TestEachErrorHasItsCodeAndText(t *testing.T) {
	invalid := &job.InvalidError{Field: "job", Reason: "job failed validation: empty spec string"}
	tooLarge := &job.TooLargeError{Size: 3_000_000, Limit: 2_097_152}
	for name, tc := range map[string]struct {
		err  error
		code codes.Code
		text string
	}{
		"invalid":             {invalid, codes.Unknown, "job failed validation: empty spec string"},
		"invalid, wrapped":    {fmt.Errorf("schedule x: %w", invalid), codes.Unknown, "job failed validation: empty spec string"},
		"exists":              {fmt.Errorf("%w: 'app||ns||app||x'", job.ErrExists), codes.AlreadyExists, "job already exists: 'app||ns||app||x'"},
		"not found":           {fmt.Errorf("%w: x", job.ErrNotFound), codes.NotFound, "job not found: x"},
		"too large":           {fmt.Errorf("schedule x: %w", tooLarge), codes.ResourceExhausted, "trying to send message larger than max (3000000 vs. 2097152)"},
		"unavailable":         {fmt.Errorf("commit to /var/lib: %w", job.ErrUnavailable), codes.Unavailable, "the scheduler cannot carry this out now: try again"},
		"our own deadline":    {errors.Join(job.ErrUnavailable, context.DeadlineExceeded), codes.Unavailable, "the scheduler cannot carry this out now: try again"},
		"a status of our own": {fmt.Errorf("%w: %w", job.ErrUnavailable, status.Error(codes.Canceled, "of a stream between nodes")), codes.Unavailable, "the scheduler cannot carry this out now: try again"},
		"full":                {fmt.Errorf("schedule x: %w", job.ErrFull), codes.Unknown, "etcdserver: mvcc: database space exceeded: the scheduler's disk is full: free space there"},
		"full, with figures":  {fmt.Errorf("schedule x: %w", &job.FullError{Reason: "1 MiB left"}), codes.Unknown, "etcdserver: mvcc: database space exceeded: 1 MiB left"},
		"canceled":            {fmt.Errorf("wait: %w", context.Canceled), codes.Canceled, "context canceled"},
		"deadline":            {fmt.Errorf("wait: %w", context.DeadlineExceeded), codes.DeadlineExceeded, "context deadline exceeded"},
		"a status":            {status.Error(codes.DataLoss, "as it is"), codes.DataLoss, "as it is"},
		"a status, wrapped":   {fmt.Errorf("forward: %w", status.Error(codes.NotFound, "job not found: x")), codes.NotFound, "job not found: x"},
		"anything else":       {errors.New("pebble: /var/lib is full"), codes.Internal, "internal error of the scheduler: its log says more"},
		"a status that is OK": {okStatusError{}, codes.Internal, "internal error of the scheduler: its log says more"},
	} {
		got := status.Convert(wire.Status(tc.err))
		if got.Code() != tc.code || got.Message() != tc.text {
			t.Errorf("%s: %v %q, want %v %q", name, got.Code(), got.Message(), tc.code, tc.text)
		}
		if len(got.Details()) > 0 {
			t.Errorf("%s: has details", name)
		}
	}
	if err := wire.Status(nil); err != nil {
		t.Errorf("Status(nil) = %v", err)
	}
}

// An okStatusError is an error all the same.
type okStatusError struct{}

func (okStatusError) Error() string              { return "fine" }
func (okStatusError) GRPCStatus() *status.Status { return nil }

// A status travels in a header, of which clients take 8 KiB, and which no window bounds: who sends
// four megabytes and reads no answer must not find them all in our memory, three times over.
func TestStatusTextIsTruncated(t *testing.T) {
	for _, field := range []string{strings.Repeat(",", 4<<20), strings.Repeat("é", 2<<20), strings.Repeat("x", 3000)} {
		got := status.Convert(wire.Status(&job.InvalidError{Field: "job", Reason: "failed to parse " + field + ": no"})).Message()
		if len(got) > 2100 || !utf8.ValidString(got) || !strings.HasPrefix(got, "failed to parse "+field[:1000]) || !strings.HasSuffix(got, ": no") {
			t.Errorf("%d bytes: %.40s", len(got), got)
		}
	}
	short := strings.Repeat("é", 1000)
	if got := status.Convert(wire.Status(&job.InvalidError{Field: "name", Reason: short})).Message(); got != short {
		t.Errorf("%d bytes, want all %d", len(got), len(short))
	}
}
