// Command carillon is a durable job scheduler that speaks the Dapr Jobs API. `carillon help` lists its commands.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) { // as under nohup
		signal.Notify(signals, syscall.SIGHUP)
	}
	ctx, stop := context.WithCancel(context.Background())
	go func() {
		<-signals
		stop()
		<-signals
		os.Exit(exitError) // at once, whatever is under way
	}()
	os.Exit(run(ctx, commandLine(os.Args), stdio{Out: os.Stdout, Err: os.Stderr, Env: os.LookupEnv}))
}
