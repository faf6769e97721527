package nodecmd

import (
	"runtime/debug"

	"carillon/internal/sidecar"
)

// DaprVersion is the version of Dapr that a sidecar reports. Tools read it: `dapr run` passes the address
// of the scheduler to a sidecar of 1.15.1 or later.
const DaprVersion = sidecar.DaprVersion

// BuildVersion returns the version of the module, or devel for a build from a checkout; and the commit, or unknown.
func BuildVersion() (version, commit string) {
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

// NodeVersion returns the version that a node says it has: that of the module, or the commit of a build from a
// checkout.
func NodeVersion() string {
	version, commit := BuildVersion()
	if version == "devel" && commit != "unknown" {
		return version + " " + commit
	}
	return version
}
