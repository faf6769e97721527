//go:build linux

package overload

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A group is a memory cgroup, of version 1 or 2.
type group struct {
	dir string
	v2  bool
}

// newGroup makes a group with a limit in bytes, which is removed with the test. Start processes in it afterwards: they
// have to end before it is removed.
func newGroup(t *testing.T, name string, limit int64) (*group, error) {
	t.Helper()
	var errs []error
	for _, g := range parents() {
		g.dir = filepath.Join(g.dir, fmt.Sprintf("carillon-%d-%s-%d", os.Getpid(), name, time.Now().UnixNano()))
		if err := os.Mkdir(g.dir, 0o755); err != nil {
			errs = append(errs, err)
			continue
		}
		if err := g.write(map[bool]string{false: "memory.limit_in_bytes", true: "memory.max"}[g.v2], limit); err != nil {
			errs = append(errs, err, os.Remove(g.dir))
			continue
		}
		if g.v2 {
			_ = g.write("memory.swap.max", 0) // there may be no swap
		}
		t.Cleanup(func() { g.remove(t) })
		return &g, nil
	}
	return nil, errors.Join(append(errs, errors.New("no memory cgroup can be made here"))...)
}

// parents returns the groups in which one might be made: the root, and the one of this process.
func parents() (all []group) {
	const root = "/sys/fs/cgroup"
	own, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return nil
	}
	for line := range strings.Lines(string(own)) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(fields) < 3 {
			continue
		}
		switch {
		case fields[1] == "memory":
			all = append(all, group{dir: root + "/memory"}, group{dir: filepath.Join(root, "memory", fields[2])})
		case fields[0] == "0":
			all = append(all, group{dir: root, v2: true}, group{dir: filepath.Join(root, fields[2]), v2: true})
		}
	}
	return all
}

func (g *group) write(file string, value int64) error {
	f, err := os.OpenFile(filepath.Join(g.dir, file), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(strconv.FormatInt(value, 10))
	return errors.Join(err, f.Close())
}

// wrap returns the command line of a shell that enters the group and becomes the program.
func (g *group) wrap(argv []string) []string {
	return append([]string{"/bin/sh", "-c", `echo $$ >"$0/cgroup.procs" && exec "$@"`, g.dir}, argv...)
}

// number returns the number that a line of a file of the group begins with, after the key if there is one.
func (g *group) number(t *testing.T, file, key string) int64 {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(g.dir, file))
	if err != nil {
		return 0 // older kernels lack some
	}
	for line := range strings.Lines(string(text)) {
		value, ok := strings.CutPrefix(strings.TrimSpace(line), key)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(value), 10, 64)
		if err != nil {
			t.Errorf("%s of %s: %v", file, g.dir, err)
		}
		return n
	}
	return 0
}

// peak returns the most that the group has used, with what the kernel has cached of its files and would give back.
func (g *group) peak(t *testing.T) int64 {
	t.Helper()
	if g.v2 {
		return g.number(t, "memory.peak", "")
	}
	return g.number(t, "memory.max_usage_in_bytes", "")
}

// own returns what the group's processes use now, without files.
func (g *group) own(t *testing.T) int64 {
	t.Helper()
	if g.v2 {
		return g.number(t, "memory.stat", "anon ")
	}
	return g.number(t, "memory.stat", "rss ")
}

// kills returns how many processes of the group the kernel has killed for want of memory.
func (g *group) kills(t *testing.T) int64 {
	t.Helper()
	if g.v2 {
		return g.number(t, "memory.events", "oom_kill ")
	}
	return g.number(t, "memory.oom_control", "oom_kill ")
}

// remove removes the group, which is busy for a moment after its last process has ended.
func (g *group) remove(t *testing.T) {
	t.Helper()
	var err error
	for range 100 {
		if err = os.Remove(g.dir); err == nil {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Errorf("remove the cgroup: %v", err)
}
