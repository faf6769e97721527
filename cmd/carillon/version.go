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
	text, revision := built()
	if text == "devel" && revision != "unknown" {
		text += " " + revision
	}
	_, err := fmt.Fprintf(std.Out, "carillon %s\n", text)
	return err
}

// built returns the module's version, or devel where it was built from a checkout; and the revision, or unknown.
func built() (version, revision string) {
	version, revision = "devel", "unknown"
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return version, revision
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		version = v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			revision = s.Value
		}
	}
	return version, revision
}
