// Command carillon is a durable job scheduler that speaks the Dapr Jobs API. `carillon help` lists its commands.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	stops := []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP}
	ctx, _ := signal.NotifyContext(context.Background(), stops...)
	context.AfterFunc(ctx, func() { // a second signal ends the process at once
		again := make(chan os.Signal, 1)
		signal.Notify(again, stops...)
		<-again
		os.Exit(exitError)
	})
	os.Exit(run(ctx, commandLine(os.Args), stdio{Out: os.Stdout, Err: os.Stderr, Env: os.LookupEnv}))
}
