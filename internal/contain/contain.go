// Package contain keeps a panic of one call from ending the process.
package contain

import (
	"fmt"
	"runtime/debug"
)

// Call calls f and returns its error. It recovers a panic of f and returns it as an error with its
// stack.
func Call(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return f()
}
