package wire_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"carillon/internal/job"
	"carillon/internal/wire"
)

func TestErrorsTruncateTheirInput(t *testing.T) {
	long := strings.Repeat("long", 1<<20)
	for _, err := range []error{
		status.Errorf(codes.InvalidArgument, "the app %q is none", long),
		fmt.Errorf("%w: %s", job.ErrExists, long),
		fmt.Errorf("%w: %s", job.ErrNotFound, long),
		&job.InvalidError{Field: "name", Reason: long + " is wrong"},
	} {
		got := status.Convert(wire.Status(err))
		if n := len(got.Message()); n > 2<<10+16 {
			t.Errorf("the text of %v has %d bytes, want 2 KiB at most", got.Code(), n)
		}
	}
	e := wire.NewAPIError(wire.ReasonMalformed, job.Target{}, "deserialize the body: "+long+" is no object")
	if n := len(e.Message); n > 2<<10+16 || !strings.HasPrefix(e.Message, "deserialize the body: long") || !strings.HasSuffix(e.Message, "is no object") {
		t.Errorf("the message has %d bytes: %.64q, want 2 KiB at most, with its begin and its end", n, e.Message)
	}
	if e := wire.ScheduleFailed(job.Target{}, errors.New(long)); len(e.Message) > 2<<10+16 {
		t.Errorf("the message has %d bytes, want 2 KiB at most", len(e.Message))
	}
}
