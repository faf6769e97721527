package exit

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func TestEachErrorHasACodeAndALine(t *testing.T) {
	for _, c := range []struct {
		err  error
		code int
		line string
	}{
		{nil, OK, ""},
		{flag.ErrHelp, OK, ""},
		{fmt.Errorf("dev: %w", ErrLogged), Failed, ""},
		{ErrShown, Failed, ""},
		{fmt.Errorf("dev: %w", Usagef("--port %d is taken", 1)), Usage, "dev: --port 1 is taken"},
		{errors.New("the disk is full"), Failed, "the disk is full"},
		{context.Canceled, Failed, "interrupted"},
		{status.Error(codes.NotFound, `job "a" not found`), Failed, `job "a" not found`},
		{status.Error(codes.Canceled, "context canceled"), Failed, "interrupted"},
		{status.Error(codes.Unauthenticated, "no token"), Failed, "no token; give a valid token with --token-file"},
		{status.Error(codes.PermissionDenied, "viewers may not delete"), Failed, "viewers may not delete; use the token of a role that may do this"},
		{status.Error(codes.Unimplemented, "unknown method Pause"), Failed, "unknown method Pause; the server is older than this command: upgrade it"},
	} {
		if code, line := Of(c.err); code != c.code || line != c.line {
			t.Errorf("Of(%v) = %d, %q, want %d, %q", c.err, code, line, c.code, c.line)
		}
	}
}
