// Command carillon is a durable job scheduler that speaks the Dapr Jobs API. `carillon help` lists its commands.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"

	"carillon/internal/profile"
)

func main() {
	args := commandLine(os.Args)
	ctx, stop := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	handleHangup(args, stop)
	var atKill atomic.Pointer[func()]
	go func() {
		stop(signalError{<-signals})
		<-signals
		if kill := atKill.Load(); kill != nil {
			(*kill)()
		}
		os.Exit(exitError) // without waiting for anything
	}()
	stopProfile, err := profile.Start(os.LookupEnv)
	if err != nil {
		fmt.Fprintf(os.Stderr, "carillon: %v\n", err)
		os.Exit(exitError)
	}
	code := run(ctx, args, stdio{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Env: os.LookupEnv, AtKill: &atKill})
	stopProfile()
	os.Exit(code)
}
