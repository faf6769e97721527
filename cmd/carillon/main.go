// Command carillon is a durable job scheduler that speaks the Dapr Jobs API. `carillon help` lists its commands.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"

	"carillon/internal/exit"
	"carillon/internal/nodecmd"
	"carillon/internal/profile"
	"carillon/internal/terminal"
)

func main() {
	args := commandLine(os.Args)
	ctx, stop := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	handleHangup(args, stop)
	var atKill atomic.Pointer[func()]
	go func() {
		stop(nodecmd.SignalError{Signal: <-signals})
		<-signals
		if kill := atKill.Load(); kill != nil {
			(*kill)()
		}
		os.Exit(exit.Failed) // without waiting for anything
	}()
	stopProfile, err := profile.Start(os.LookupEnv)
	if err != nil {
		fmt.Fprintf(os.Stderr, "carillon: %v\n", err)
		os.Exit(exit.Failed)
	}
	code := run(ctx, args, terminal.Standard(), &atKill)
	stopProfile()
	os.Exit(code)
}
