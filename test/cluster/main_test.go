//go:build linux

// Package cluster runs clusters of real processes, under load and with what happens to machines: kills, pauses, cut
// wires, slow disks, stepped clocks, full quotas. A ledger of what was acknowledged is held against what the apps got.
//
// A short form is among the daily tests. The rest runs where CARILLON_TEST_ETCD is set, as make cluster does, and some
// of it only where the machine lets it: tests that need a network, a disk or rights that are not there are skipped, and
// say so. Those with a network run in a network namespace of their own, so that nothing here meets the machine's.
package cluster

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"
)

// patience is how long anything may take that ought to take a moment. It is generous: the machine may be busy.
const patience = 60 * time.Second

var (
	binary string // the program as it is built
	wires  error  // why there can be no network of our own; nil if there can
)

// roleEnv says what this binary is when it starts itself.
const (
	roleEnv = "CLUSTER_TEST_ROLE"
	within  = "within" // the tests, in a network namespace of their own
	holder  = "holder" // holds a network namespace until its input ends
)

func TestMain(m *testing.M) {
	os.Exit(run(m)) //nolint:forbidigo // it is a main
}

func run(m *testing.M) int {
	role := os.Getenv(roleEnv)
	switch {
	case role == holder:
		_, _ = io.Copy(io.Discard, os.Stdin)
		return 0
	case !everything():
		wires = errors.New("it takes long: make cluster runs it")
	case role == within:
		if err := ip("link", "set", "lo", "up"); err != nil {
			panic(err) // nothing can be reached here
		}
	default:
		if wires = tools(); wires != nil {
			break
		}
		code, err := apart()
		if err == nil {
			return code
		}
		wires = fmt.Errorf("this machine lets nobody have a network namespace: %w", err)
	}
	dir, err := os.MkdirTemp("", "cluster")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "carillon")
	if out, err := exec.Command("go", "build", "-o", binary, "carillon/cmd/carillon").CombinedOutput(); err != nil {
		panic(fmt.Sprintf("go build: %v\n%s", err, out))
	}
	return m.Run()
}

// everything reports whether the long tests run too.
func everything() bool { return os.Getenv("CARILLON_TEST_ETCD") != "" }

// long skips the test in the short form.
func long(t *testing.T) {
	t.Helper()
	if !everything() {
		t.Skip("it takes long: make cluster runs it")
	}
}

// apart runs this binary again, with a network of its own, and returns what it ended with.
func apart() (code int, err error) {
	runtime.LockOSThread() // with whose end the child would end
	cmd := exec.Command(os.Args[0], os.Args[1:]...)
	cmd.Env = append(os.Environ(), roleEnv+"="+within)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = ownNetwork()
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); err != nil && !errors.As(err, &exit) {
		return 1, nil // it has run
	}
	return cmd.ProcessState.ExitCode(), nil
}

// ownNetwork makes a child that has a network namespace, and ends with its parent. Who is not root is root in a
// namespace of users.
func ownNetwork() *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	if os.Geteuid() != 0 {
		a.Cloneflags |= syscall.CLONE_NEWUSER
		a.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		a.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	return a
}
