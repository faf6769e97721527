package main

import (
	"errors"
	"fmt"
)

// errUsage marks an error of the command line.
var errUsage = errors.New("usage")

// usagef returns an error of the command line.
func usagef(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{errUsage}, args...)...)
}
