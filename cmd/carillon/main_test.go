package main

import (
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain lets this binary stand in for carillon: in scripts under that name, and in other tests through self.
func TestMain(m *testing.M) {
	if os.Getenv("CARILLON_TEST_MAIN") != "" {
		limitDescriptors()
		main()
	}
	testscript.Main(m, map[string]func(){"carillon": main, "scheduler": main, "daprd": main})
}

// self returns a command that runs carillon.
func self(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe, args...)
	name, value := noRest()
	cmd.Env = append(os.Environ(), "CARILLON_TEST_MAIN=1", name+"="+value)
	return cmd
}

// noRest is the environment variable with which a process ends at once under the race detector, which otherwise has it
// rest for a second.
func noRest() (name, value string) { return "GORACE", "atexit_sleep_ms=0" }

// patience is how long anything may take that ought to take a moment. It is generous: the machine may be busy.
const patience = time.Minute

// atOnce is how long a process may take to end that waits for nothing: less than any bound that it could wait for, and
// more than a busy machine takes.
const atOnce = 4 * time.Second

// A script that hangs is stopped when the time of all tests is up: they run beside one another, and have no time of their own.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script", RequireUniqueNames: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv(noRest())
			return nil
		},
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
