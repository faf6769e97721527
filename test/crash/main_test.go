// Package crash ends the program as it is built in every bad way there is, under load, over real
// ports, on real disks and in real time, and holds what its users were told against what they then
// see. The daily tests do a few seconds of it; `make crash` and `make soak` do as much as they are
// asked for.
//
// Whatever can be broken in memory and in fake time is broken in the packages of the program, at far more places.
package crash_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"
)

// patience is how long anything may take that ought to take a moment. It is generous: the machine may be busy.
const patience = time.Minute

// scratch is a folder that lasts as long as the tests.
var scratch string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "crash")
	if err != nil {
		panic(err)
	}
	scratch = dir
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code) //nolint:forbidigo // this is main
}

// program builds the program, once, and returns its path.
var program = sync.OnceValues(func() (path string, err error) {
	path = filepath.Join(scratch, "carillon")
	if out, err := exec.Command("go", "build", "-C", "../..", "-o", path, "./cmd/carillon").CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
})

// number returns that of an environment variable, or else n.
func number(t *testing.T, name string, n int) int {
	t.Helper()
	if text := os.Getenv(name); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	return n
}

// eventually waits until is holds.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("this never came true: %s", what)
		}
	}
}
