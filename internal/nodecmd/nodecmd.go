// Package nodecmd is what the commands that run a node have in common: the flags of logs, memory and hosts,
// the ports that they open, Dapr's environment variables, and the reasons why a node stops.
package nodecmd

// FlagSet adds flags of common types. The flag sets of package flag and of pflag implement it.
type FlagSet interface {
	StringVar(p *string, name, value, usage string)
	BoolVar(p *bool, name string, value bool, usage string)
}

// StrictUsage is the help of --strict.
const StrictUsage = "refuse a schedule request that would otherwise cause a warning, such as one with an unknown field"

// SchedulerApp is the app name in the SPIFFE id of a scheduler.
const SchedulerApp = "dapr-scheduler"
