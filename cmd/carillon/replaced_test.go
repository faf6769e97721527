//go:build linux

package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"carillon/internal/exit"
)

// TestNodeEndsWhenDataDirectoryIsReplaced covers both roles with a store. A second process starts on the same
// path meanwhile; the first one must not write to its files.
func TestNodeEndsWhenDataDirectoryIsReplaced(t *testing.T) {
	for name, replace := range map[string]func(t *testing.T, dir string){
		"deleted": func(t *testing.T, dir string) { must(t, os.RemoveAll(dir)) },
		"renamed": func(t *testing.T, dir string) { must(t, os.Rename(dir, dir+".old")) },
		"mounted over": func(t *testing.T, dir string) {
			if err := unix.Mount("none", dir, "tmpfs", 0, "size=256m"); err != nil {
				t.Skipf("this machine lets nobody mount a disk: %v", err)
			}
			t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
		},
	} {
		for role, start := range map[string]func(t *testing.T, dir string) *node{
			"scheduler": func(t *testing.T, dir string) *node { return startScheduler(t, "--etcd-data-dir="+dir).node },
			"dev":       func(t *testing.T, dir string) *node { return startNode(t, "--data-dir="+dir) },
		} {
			t.Run(role+" "+name, func(t *testing.T) {
				dir := filepath.Join(t.TempDir(), "data")
				n := start(t, dir)
				replace(t, dir)
				begin := time.Now()
				second := start(t, dir)
				ended := make(chan error, 1)
				go func() { ended <- n.wait() }()
				select {
				case err := <-ended:
					var process *exec.ExitError
					if !errors.As(err, &process) || process.ExitCode() != exit.Failed {
						t.Errorf("it ended with %v, want exit code %d", err, exit.Failed)
					}
				case <-time.After(30 * time.Second):
					t.Fatal("it runs on")
				}
				t.Logf("it ended after %v", time.Since(begin))
				if said := n.said.String(); !strings.Contains(said, "the data directory or a file in it was deleted, moved or replaced") {
					t.Errorf("it does not say why it has ended: %s", said)
				}
				if second.api != "" {
					must(t, second.schedule(t, "job", `{"dueTime": "1h"}`))
				}
			})
		}
	}
}

// TestNodeAcknowledgesNothingWithoutDataDirectory schedules a job at once, before the periodic check.
func TestNodeAcknowledgesNothingWithoutDataDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	n := startNode(t, "--data-dir="+dir)
	must(t, n.schedule(t, "before", `{"dueTime": "1h"}`))
	must(t, os.RemoveAll(dir))
	if err := n.schedule(t, "after", `{"dueTime": "1h"}`); err == nil {
		t.Error("a job was acknowledged that went to a deleted file")
	} else if errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("no answer: %v", err)
	}
}
