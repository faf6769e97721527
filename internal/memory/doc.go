// Package memory finds the memory limit of the process, and divides it among the parts of the
// process.
//
// The limit is given to [Find], or is the smallest limit of the process's memory cgroups, of
// version 1 or 2, or a default. [Limit.Divide] refuses a limit that is too small for the kind of
// the process, and otherwise returns [Shares]. Together with everything that has no share (the
// program itself, stacks, connections and the garbage of a cycle) the shares are below the limit,
// and they grow with it.
//
// Each part of the process enforces its own share. This package enforces only the limit of the Go
// heap, in [Shares.Apply].
package memory
