// Package profile writes a processor profile of the whole life of a process, for those who measure it. Nothing listens
// for it: a profile is asked for where the process is started.
package profile

import (
	"fmt"
	"os"
	"runtime/pprof"
)

// Env is the environment variable that names the file for the profile.
const Env = "CARILLON_CPU_PROFILE"

// Start starts a profile if lookup has [Env], in the file that it names. The caller calls stop before the process ends;
// until then the file is incomplete. Start may be called once in a process.
func Start(lookup func(name string) (value string, ok bool)) (stop func(), err error) {
	name, ok := lookup(Env)
	if !ok || name == "" {
		return func() {}, nil
	}
	f, err := os.Create(name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", Env, err)
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, fmt.Errorf("%s: start a profile: %w", Env, err)
	}
	return func() {
		pprof.StopCPUProfile()
		_ = f.Close() // a profile that is cut short cannot be read, which is loud enough
	}, nil
}
