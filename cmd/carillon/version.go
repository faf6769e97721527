package main

import (
	"context"
	"fmt"
	"runtime/debug"
)

// version prints one line: the module's version, or its revision where it was built from a checkout.
func version(_ context.Context, args []string, std stdio) error {
	if len(args) > 0 {
		return usagef("version: unexpected argument %q", args[0])
	}
	text := "devel"
	if info, ok := debug.ReadBuildInfo(); ok {
		if v := info.Main.Version; v != "" && v != "(devel)" {
			text = v
		}
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" && text == "devel" {
				text += " " + s.Value
			}
		}
	}
	_, err := fmt.Fprintf(std.Out, "carillon %s\n", text)
	return err
}
