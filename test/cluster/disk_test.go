//go:build linux

package cluster

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A throttle is a control group whose processes may write to the disk only so often.
type throttle struct{ dir string }

// slowDisk makes the disk of the folder slow for those who are put into the throttle: so many writes a second. It skips
// the test where that cannot be had.
func slowDisk(t *testing.T, folder string, writes int) throttle {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root may slow a disk down")
	}
	device, err := deviceOf(folder)
	if err != nil {
		t.Skipf("the disk of %s cannot be slowed down: %v", folder, err)
	}
	// The second generation of control groups, and the first.
	for root, rule := range map[string][2]string{
		"/sys/fs/cgroup":       {"io.max", fmt.Sprintf("%s wiops=%d", device, writes)},
		"/sys/fs/cgroup/blkio": {"blkio.throttle.write_iops_device", fmt.Sprintf("%s %d", device, writes)},
	} {
		if _, err := os.Stat(filepath.Join(root, "cgroup.procs")); err != nil {
			continue
		}
		g := throttle{filepath.Join(root, fmt.Sprintf("cluster-test-%d", os.Getpid()))}
		if os.Mkdir(g.dir, 0o755) != nil {
			continue
		}
		t.Cleanup(func() { _ = os.Remove(g.dir) }) // when its processes have ended
		if os.WriteFile(filepath.Join(g.dir, rule[0]), []byte(rule[1]), 0o600) == nil {
			return g
		}
	}
	t.Skip("this machine has no control group for disks")
	return throttle{}
}

// take has the node's writes go through the throttle, from now on.
func (g throttle) take(n *node) {
	n.c.t.Helper()
	if err := os.WriteFile(filepath.Join(g.dir, "cgroup.procs"), fmt.Append(nil, n.p.cmd.Process.Pid), 0o600); err != nil {
		n.c.t.Fatal(err)
	}
}

// free has the node's writes go as they did.
func (g throttle) free(n *node) {
	n.c.t.Helper()
	up := filepath.Join(filepath.Dir(g.dir), "cgroup.procs")
	if err := os.WriteFile(up, fmt.Append(nil, n.p.cmd.Process.Pid), 0o600); err != nil {
		n.c.t.Fatal(err)
	}
}

// deviceOf returns the numbers of the disk that holds the folder.
func deviceOf(folder string) (string, error) {
	var s unix.Stat_t
	if err := unix.Stat(folder, &s); err != nil {
		return "", err
	}
	number := fmt.Sprintf("%d:%d", unix.Major(s.Dev), unix.Minor(s.Dev))
	path, err := filepath.EvalSymlinks("/sys/dev/block/" + number)
	if err != nil {
		return "", errors.New("it is on no disk")
	}
	if _, err := os.Stat(filepath.Join(path, "partition")); err == nil {
		path = filepath.Dir(path)
	}
	whole, err := os.ReadFile(filepath.Join(path, "dev"))
	return strings.TrimSpace(string(whole)), err
}

// smallDisk mounts a disk of so many MiB in memory, until the test ends, or skips the test.
func smallDisk(t *testing.T, size int) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := unix.Mount("none", dir, "tmpfs", 0, fmt.Sprintf("size=%dm", size)); err != nil {
		t.Skipf("this machine lets nobody mount a disk: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	return dir
}

// fill takes all free space of the directory, and returns a function that frees it.
func fill(t *testing.T, dir string) (empty func()) {
	t.Helper()
	f, err := os.Create(filepath.Join(dir, "filler"))
	if err != nil {
		t.Fatal(err)
	}
	for block := make([]byte, 1<<20); len(block) > 0; {
		if _, err := f.Write(block); err != nil {
			block = block[:len(block)/2]
		}
	}
	_ = f.Close()
	return func() { _ = os.Remove(f.Name()) }
}

func TestNodeWithFullDiskReportsItAndOthersContinue(t *testing.T) {
	long(t)
	t.Parallel()
	dir := smallDisk(t, 400)
	c := newCluster(t, 3, func(c *cluster) { c.nodes[2].dir = filepath.Join(dir, "c") })
	c.app("one")
	c.tick(40)
	z := c.nodes[2]
	z.count()
	c.ledger.disturb(z.id)
	empty := fill(t, dir)
	begin := time.Now()
	for i, ended := 0, false; !ended && time.Since(begin) < patience; i++ { // its database has to grow
		_ = c.store(3 * i) // the first node's is not full
		select {
		case <-z.p.ended:
			ended = true
		case <-time.After(10 * time.Millisecond):
		}
	}
	code := z.p.wait(t)
	logf(t, "a node whose disk was full ended after %v with %d and said %s", time.Since(begin), code, last(z.p.output()))
	if out := z.p.output(); code != 1 || !strings.Contains(out, "what it acknowledged is safe") || !strings.Contains(out, "no space left on device") {
		t.Errorf("it ended with %d and said %s", code, last(out))
	}
	since := time.Now()
	time.Sleep(5 * time.Second)
	if n := c.ledger.came(since, ""); n == 0 {
		t.Error("the others do not go on")
	}
	empty()
	z.start()
	logf(t, "when it had space and was started again, all were healthy after %v", c.healthy())
	c.ledger.settle(z.id)
	c.close()
}

func TestSlowDiskDelaysTriggersAndLosesNone(t *testing.T) {
	long(t)
	t.Parallel()
	const writes = 100
	g := slowDisk(t, t.TempDir(), writes)
	c, l := loaded(t, 3)
	for _, nodes := range [][]*node{{c.leader()}, c.nodes} {
		at := time.Now()
		for _, n := range nodes {
			c.ledger.disturb(n.id)
			g.take(n)
		}
		time.Sleep(8 * time.Second)
		for _, n := range nodes {
			g.free(n)
			c.ledger.settle(n.id)
		}
		logf(t, "%d writes a second for %d of three disks: the latest trigger was late by %v",
			writes, len(nodes), c.ledger.latest(at, time.Now().Add(-time.Second)))
		logf(t, "all were healthy %v after their disks were", c.healthy())
	}
	l.finish()
}
