// Package memory finds out how much memory the process may use, and divides it among what uses it.
//
// The limit is what [Find] is told, or else the smallest limit of the process's memory cgroups, of
// version 1 or 2, or else a default. [Limit.Divide] refuses a limit that is too small for what the
// process does, and makes [Shares] of one that is not. The shares are promises to one another:
// together with what no share counts, which is the program itself, stacks, connections and the
// garbage of a cycle, they stay below the limit. They grow with it.
//
// A share is enforced by the part of the process that it is for. This package enforces nothing but
// the limit of Go's heap, in [Shares.Apply].
package memory
