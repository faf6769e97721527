// Package profile writes a CPU profile of a whole process. It opens no port: an environment
// variable enables it at the start of the process.
package profile

import (
	"fmt"
	"os"
	"runtime/pprof"
)

// Env is the environment variable with the file for the profile.
const Env = "CARILLON_CPU_PROFILE"

// Start starts a profile if lookup finds [Env], and writes it to that file. The caller must call
// stop before the process ends; until then the file is incomplete. Start may be called once in a
// process.
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
