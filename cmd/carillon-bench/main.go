// Command carillon-bench measures a scheduler and a sidecar, and compares them with what the
// machine can do. It starts the carillon in the same directory, or measures running servers, which
// may be another implementation. See docs/performance.md.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	args, command := os.Args[1:], measure
	if len(args) > 0 && args[0] == "child" {
		args, command = args[1:], child
	}
	err := command(ctx, args, os.Stdout, os.Stderr)
	if err == nil || errors.Is(err, flag.ErrHelp) {
		return
	}
	fmt.Fprintf(os.Stderr, "carillon-bench: %v\n", err)
	if errors.Is(err, errUsage) {
		os.Exit(2)
	}
	os.Exit(1)
}
