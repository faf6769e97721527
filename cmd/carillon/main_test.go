package main

import (
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain makes the test binary act as carillon: in scripts under that name, in other tests through self.
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

// noRest returns the environment variable that removes the pause of a second at the end of a process under
// the race detector.
func noRest() (name, value string) { return "GORACE", "atexit_sleep_ms=0" }

// patience is the timeout of anything that should be quick. It is generous: the machine may be busy.
const patience = time.Minute

// atOnce is how long a process that waits for nothing may take to end: less than any timeout it could wait
// for, and more than a busy machine takes.
const atOnce = 4 * time.Second

// TestScripts runs the scripts in parallel. A script that hangs ends with the timeout of the whole test.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script", RequireUniqueNames: true,
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){"schedule": scheduleInScript},
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
