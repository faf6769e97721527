package memory_test

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/KimMachineGun/automemlimit/memlimit"

	"carillon/internal/memory"
)

func says(n uint64, err error) func() (uint64, error) {
	return func() (uint64, error) { return n, err }
}

// tree returns a file system with the files, which are given as a path and a text in turn.
func tree(pairs ...string) fs.FS {
	all := fstest.MapFS{}
	for i := 0; i < len(pairs); i += 2 {
		all[pairs[i]] = &fstest.MapFile{Data: []byte(pairs[i+1])}
	}
	return all
}

func TestLimitNamesItsSource(t *testing.T) {
	const mib, gib = 1 << 20, 1 << 30
	machine := says(8*gib, nil)
	for _, c := range []struct {
		name            string
		given           int64
		cgroup, machine func() (uint64, error)
		root            fs.FS
		want            int64
		source          string
	}{
		{"the flag goes first", 300 * mib, says(256*mib, nil), machine, tree(), 300 * mib, memory.Flag},
		{"version 2, of a parent", 0, says(256*mib, nil), machine, tree(
			"proc/self/cgroup", "0::/pods/p1/c1\n",
			"sys/fs/cgroup/pods/p1/c1/memory.max", "max\n",
			"sys/fs/cgroup/pods/p1/memory.max", "268435456\n"), 256 * mib, "/sys/fs/cgroup/pods/p1/memory.max"},
		{"version 1, within a container", 0, says(256*mib, nil), machine, tree(
			"proc/self/cgroup", "5:cpu,cpuacct:/docker/d1\n4:memory:/docker/d1\n0::/\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes", "268435456\n"), 256 * mib, "/sys/fs/cgroup/memory/memory.limit_in_bytes"},
		{"where it is mounted elsewhere", 0, says(256*mib, nil), machine, tree(), 256 * mib, "a memory cgroup of this process"},
		{"a small machine", 0, says(0, memlimit.ErrNoLimit), says(1*gib, nil), tree(), 512 * mib, "default"},
		{"a large machine", 0, says(0, memlimit.ErrNoCgroup), says(64*gib, nil), tree(), memory.Default, "default"},
		{"more than the machine has", 0, says(16*gib, nil), machine, tree(), memory.Default, "default"},
		{"no cgroups", 0, says(0, memlimit.ErrCgroupsNotSupported), says(0, memlimit.ErrNoLimit), tree(), memory.Default, "default: no cgroup has a limit"},
		{"a cgroup that cannot be read", 0, says(0, errors.New("permission denied")), machine, tree(), memory.Default, "permission denied"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := memory.FindIn(c.given, c.cgroup, c.machine, c.root)
			if l.Bytes != c.want || !strings.Contains(l.Source, c.source) {
				t.Errorf("found %d (%s), want %d (%s)", l.Bytes, l.Source, c.want, c.source)
			}
		})
	}
}

func TestProcessHasAMemoryLimit(t *testing.T) {
	if l := memory.Find(0); l.Bytes <= 0 || l.Source == "" {
		t.Errorf("Find(0) = %+v, want a limit and its source", l)
	}
}
