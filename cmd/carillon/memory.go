package main

import (
	"context"
	"runtime"
)

// ballastBytes is the size of a piece of memory that nobody touches, so that it takes up address space alone. What is
// live in a server is little, 10 to 30 MiB whatever is stored, and a collector that lets little double runs dozens of
// times a second under load: a seventh of the processor time. It counts the ballast as live, and so lets the heap grow
// by this much more between two collections, however large it is.
const ballastBytes = 24 << 20

// serving has run collect garbage as a server should.
func serving(run func(ctx context.Context, args []string, std stdio) error) func(context.Context, []string, stdio) error {
	return func(ctx context.Context, args []string, std stdio) error {
		ballast := make([]byte, ballastBytes)
		defer runtime.KeepAlive(ballast)
		return run(ctx, args, std)
	}
}
