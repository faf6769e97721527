// Package exit maps the error of a command to what the process writes and to its exit code, in one table.
// Scripts may rely on the codes.
package exit

import (
	"context"
	"errors"
	"flag"
	"fmt"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Exit codes.
const (
	OK     = 0
	Failed = 1 // the command failed
	Usage  = 2 // the command line is wrong; nothing was done
)

// UsageError says what is wrong with the command line.
type UsageError struct{ text string }

func (e *UsageError) Error() string { return e.text }

// Usagef returns a [UsageError].
func Usagef(format string, args ...any) error { return &UsageError{fmt.Sprintf(format, args...)} }

// ErrLogged is returned by a command that has logged its error.
var ErrLogged = errors.New("the log says why")

// ErrShown is returned by a command whose output says what is wrong.
var ErrShown = errors.New("the output says why")

// A mapping maps some errors to an exit code and a text.
type mapping struct {
	applies func(error) bool
	code    int
	text    func(error) string // nil: nothing is written
}

// table returns the mappings. The first that applies decides.
func table() []mapping {
	return []mapping{
		{func(err error) bool { return err == nil || errors.Is(err, flag.ErrHelp) }, OK, nil},
		{func(err error) bool { return errors.Is(err, ErrLogged) || errors.Is(err, ErrShown) }, Failed, nil},
		{func(err error) bool { _, ok := errors.AsType[*UsageError](err); return ok }, Usage, error.Error},
		{func(err error) bool { return code(err) == codes.Canceled || errors.Is(err, context.Canceled) }, Failed, constant("interrupted")},
		{func(err error) bool { return code(err) == codes.Unauthenticated }, Failed, withAdvice("give a valid token with --token-file")},
		{func(err error) bool { return code(err) == codes.PermissionDenied }, Failed, withAdvice("use the token of a role that may do this")},
		{func(err error) bool { return code(err) == codes.Unimplemented }, Failed, withAdvice("the server is older than this command: upgrade it")},
		{func(err error) bool { return code(err) != codes.OK }, Failed, message},
		{func(error) bool { return true }, Failed, error.Error},
	}
}

// Of returns the exit code for the error of a command, and the line to write if it is not empty.
func Of(err error) (code int, line string) {
	for _, r := range table() {
		if r.applies(err) {
			if r.text != nil {
				line = r.text(err)
			}
			return r.code, line
		}
	}
	panic("unreachable: the last mapping applies to each error")
}

// code returns the code of the answer of a server, or OK for another error.
func code(err error) codes.Code {
	if s, ok := status.FromError(err); ok {
		return s.Code()
	}
	return codes.OK
}

// message returns the text of the answer of a server without gRPC's prefix.
func message(err error) string { return status.Convert(err).Message() }

// constant returns a text that does not depend on the error.
func constant(text string) func(error) string { return func(error) string { return text } }

// withAdvice returns the message with what to do.
func withAdvice(advice string) func(error) string {
	return func(err error) string { return message(err) + "; " + advice }
}
