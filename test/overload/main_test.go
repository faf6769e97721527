//go:build linux

// Package overload gives nodes more than they can do, in little memory: each runs as a process in a
// memory cgroup of its own. No node may be killed, nothing may be lost, and another app may not
// notice.
//
// A short form is among the daily tests. The long one runs where CARILLON_TEST_OVERLOAD is set, as
// make overload does, and prints a table. Where no cgroup can be made, which takes root and a
// memory controller, nodes run with --memory-limit instead, and the test says so.
//
// The apps are processes too, of carillon-bench, so that nothing that they do counts as the node's.
package overload

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// patience is how long anything may take that ought to take a moment. It is generous: the machine may be busy.
const patience = time.Minute

var (
	program      string // carillon, as it is built
	benchProgram string // carillon-bench, which serves the apps
	limitIsKnown bool   // whether its nodes know --memory-limit
)

func TestMain(m *testing.M) {
	os.Exit(run(m)) //nolint:forbidigo // it is a main
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "overload")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	program = filepath.Join(dir, "carillon")
	benchProgram = filepath.Join(dir, "carillon-bench")
	if out, err := exec.Command("go", "build", "-o", dir, "carillon/cmd/carillon", "carillon/cmd/carillon-bench").CombinedOutput(); err != nil {
		panic(fmt.Sprintf("go build: %v\n%s", err, out))
	}
	help, err := exec.Command(program, "scheduler", "--help").CombinedOutput()
	limitIsKnown = err == nil && strings.Contains(string(help), "--memory-limit")
	return m.Run()
}

// everything reports whether the long form runs too.
func everything() bool { return os.Getenv("CARILLON_TEST_OVERLOAD") != "" }

// eventually fails the test unless do succeeds before patience ends.
func eventually(t *testing.T, what string, patience time.Duration, do func(ctx context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		err := do(ctx)
		switch {
		case err == nil:
			return
		case ctx.Err() != nil:
			t.Fatalf("%s: not within %v: %v", what, patience, err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}
