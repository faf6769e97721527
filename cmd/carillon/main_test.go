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
		main()
	}
	testscript.Main(m, map[string]func(){"carillon": main, "scheduler": main})
}

// self returns a command that runs carillon.
func self(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe, args...)
	cmd.Env = append(os.Environ(), "CARILLON_TEST_MAIN=1")
	return cmd
}

func TestTheCommandLineDoesWhatItsScriptsSay(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script", RequireUniqueNames: true, Deadline: time.Now().Add(time.Minute),
	})
}
