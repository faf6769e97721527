package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"runtime"
	"runtime/debug"

	"carillon/internal/sidecar"
)

const versionUsage = `Usage: carillon version [flags]

Prints the version of this binary, or its commit if it was built from a checkout.

  carillon version -o json
`

// versionConfig are the flags of version.
type versionConfig struct{ output string }

func versionFlags() (*flag.FlagSet, *versionConfig) {
	c := &versionConfig{}
	fs := flag.NewFlagSet("version", flag.ContinueOnError)
	choiceVar(fs, &c.output, "output", "output format: text or json; -o is an alias", "text", "json")
	choiceVar(fs, &c.output, "o", hidden, "text", "json")
	return fs, c
}

// version prints the version of this binary.
func version(_ context.Context, args []string, std stdio) error {
	fs, c := versionFlags()
	if err := parseFlags(fs, versionUsage, args, std); err != nil {
		return err
	}
	text, commit := buildVersion()
	if c.output == "json" {
		e := json.NewEncoder(std.Out)
		e.SetIndent("", "  ")
		return e.Encode(struct {
			Version   string `json:"version"`
			Commit    string `json:"commit"`
			GoVersion string `json:"goVersion"`
			Platform  string `json:"platform"`
			Dapr      string `json:"daprVersion"` // that the sidecar reports as its own
		}{text, commit, runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH, daprVersion})
	}
	if text == "devel" && commit != "unknown" {
		text += " " + commit
	}
	_, err := fmt.Fprintf(std.Out, "carillon %s\n", text)
	return err
}

// buildVersion returns the version of the module, or devel for a build from a checkout; and the commit, or unknown.
func buildVersion() (version, commit string) {
	version, commit = "devel", "unknown"
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return version, commit
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		version = v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			commit = s.Value
		}
	}
	return version, commit
}

// daprVersion is the version of Dapr that a sidecar reports. Tools read it: `dapr run` passes the address
// of the scheduler to a sidecar of 1.15.1 or later.
const daprVersion = sidecar.DaprVersion
