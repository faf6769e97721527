package watch

import (
	"bytes"
	"context"

	"carillon/internal/terminal"
)

// A Print writes what a command shows, once, to the streams that it gets.
type Print func(ctx context.Context, std *terminal.Streams) error

// A round is what one call of a [Print] has written.
type round struct{ out, errs string }

// capture calls do, and returns what it writes.
func capture(ctx context.Context, std *terminal.Streams, do Print) (round, error) {
	var out, errs bytes.Buffer
	s := *std
	s.Out, s.Err = &out, &errs
	err := do(ctx, &s)
	return round{out.String(), errs.String()}, err
}
