package watch

import (
	"fmt"
	"io"

	"carillon/internal/terminal"
)

// pipe writes each round that differs from the one before as a document.
type pipe struct {
	std       *terminal.Streams
	separator string

	shown *round // the last one; nil before the first
	lost  bool   // the server does not answer
}

// show implements [display].
func (p *pipe) show(r round) error {
	if p.lost {
		p.lost = false
		if _, err := fmt.Fprintln(p.std.Err, "the server answers again"); err != nil {
			return err
		}
	}
	if p.shown == nil || r.errs != p.shown.errs {
		if _, err := io.WriteString(p.std.Err, r.errs); err != nil {
			return err
		}
	}
	text := r.out
	switch {
	case p.shown == nil:
	case r.out == p.shown.out:
		text = ""
	default:
		text = p.separator + text
	}
	p.shown = &r
	_, err := io.WriteString(p.std.Out, text)
	return err
}

// lose implements [display].
func (p *pipe) lose(why string) error {
	if p.lost {
		return nil
	}
	p.lost = true
	_, err := fmt.Fprintf(p.std.Err, "warning: %s; waiting for it\n", why)
	return err
}

// end implements [display].
func (*pipe) end() error { return nil }
