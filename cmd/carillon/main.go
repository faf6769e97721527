// Command carillon is a durable job scheduler that speaks the Dapr Jobs API. `carillon help` lists its commands.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	args := commandLine(os.Args)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	switch {
	case len(args) > 0 && args[0] == "sidecar":
		signal.Ignore(syscall.SIGHUP) // at which daprd starts afresh, and does not end
	case !signal.Ignored(syscall.SIGHUP): // as under nohup
		signal.Notify(signals, syscall.SIGHUP)
	}
	ctx, stop := context.WithCancelCause(context.Background())
	go func() {
		stop(signalError{<-signals})
		<-signals
		os.Exit(exitError) // at once, whatever is under way
	}()
	os.Exit(run(ctx, args, stdio{Out: os.Stdout, Err: os.Stderr, Env: os.LookupEnv}))
}

// A signalError is why a context ended that a signal has ended.
type signalError struct{ os.Signal }

func (e signalError) Error() string { return "received the signal " + e.String() }
