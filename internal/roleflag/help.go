package roleflag

import (
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
)

// PrintHelp writes usage and a list of the flags, with two dashes.
func PrintHelp(fs *flag.FlagSet, usage string, out io.Writer) {
	fmt.Fprint(out, usage, "\nFlags:\n")
	fs.VisitAll(func(f *flag.Flag) {
		if f.Usage == Hidden {
			return
		}
		kind, text := flag.UnquoteUsage(f)
		line := "  --" + f.Name
		if kind != "" {
			line += " " + kind
		}
		if !slices.Contains([]string{"", "false", "0", "0s"}, f.DefValue) {
			text += " (default " + f.DefValue + ")"
		}
		if len(line) > 30 {
			line += "\n" + strings.Repeat(" ", 30)
		}
		fmt.Fprintf(out, "%-30s %s\n", line, text)
	})
}
