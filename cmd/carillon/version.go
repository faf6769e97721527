package main

import (
	"encoding/json"
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	"carillon/internal/command"
	"carillon/internal/flagvalue"
	"carillon/internal/nodecmd"
	"carillon/internal/terminal"
)

// versionOptions are the flags of version.
type versionOptions struct {
	std    *terminal.Streams
	format string
}

func newVersion(std *terminal.Streams) *cobra.Command {
	o := &versionOptions{std: std}
	c := &cobra.Command{
		Use:   "version",
		Short: "print the version",
		Long:  "Prints the version of this binary, or its commit if it was built from a checkout.",
		Example: `  carillon version
  carillon version --output json`,
		Args: command.Args(),
		RunE: func(*cobra.Command, []string) error { return runVersion(o) },
	}
	c.Flags().VarP(flagvalue.NewChoice(&o.format, "text", "json"), "output", "o", "output `format`: text or json")
	return c
}

// runVersion prints the version of this binary.
func runVersion(o *versionOptions) error {
	text, commit := nodecmd.BuildVersion()
	if o.format == "json" {
		e := json.NewEncoder(o.std.Out)
		e.SetIndent("", "  ")
		return e.Encode(struct {
			Version   string `json:"version"`
			Commit    string `json:"commit"`
			GoVersion string `json:"goVersion"`
			Platform  string `json:"platform"`
			Dapr      string `json:"daprVersion"` // that the sidecar reports as its own
		}{text, commit, runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH, nodecmd.DaprVersion})
	}
	_, err := fmt.Fprintf(o.std.Out, "carillon %s\n", nodecmd.NodeVersion())
	return err
}
