package memory

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

// Default is the maximum of the default limit, which is otherwise half of the machine's memory.
const Default = 2 << 30

// A Limit is how many bytes of memory the process may use.
type Limit struct {
	Bytes int64
	// Source says where the limit is set, for a person: a flag, a cgroup file, or the default.
	Source string
}

// Flag is the flag that sets the limit. It has precedence.
const Flag = "--memory-limit"

// Find returns the limit of the process: given unless it is 0, else the limit of its cgroups, else
// the default. A cgroup that allows more than the machine has sets no limit.
func Find(given int64) Limit {
	return find(given, memlimit.FromCgroup, memlimit.FromSystem, os.DirFS("/"))
}

// find is Find for the given sources.
func find(given int64, cgroup, machine func() (uint64, error), root fs.FS) Limit {
	if given > 0 {
		return Limit{given, Flag}
	}
	total, err := machine()
	if err != nil {
		total = 2 * Default
	}
	limit, err := cgroup()
	if err == nil && limit < total {
		return Limit{int64(limit), cmp.Or(fileOf(limit, root), "a memory cgroup of this process")}
	}
	l := Limit{int64(min(total/2, Default)), "default: no cgroup has a limit"}
	for _, usual := range []error{nil, memlimit.ErrNoLimit, memlimit.ErrNoCgroup, memlimit.ErrCgroupsNotSupported} {
		if errors.Is(err, usual) {
			return l
		}
	}
	l.Source = fmt.Sprintf("default: the limit of the cgroup cannot be read: %v", err)
	return l
}

// fileOf returns the file of a memory cgroup of this process that has the limit, at the usual mount
// point; or "".
func fileOf(limit uint64, root fs.FS) string {
	text, err := fs.ReadFile(root, "proc/self/cgroup")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		_, rest, _ := strings.Cut(strings.TrimSpace(line), ":")
		controllers, group, _ := strings.Cut(rest, ":")
		mount, file := "sys/fs/cgroup", "memory.max"
		if strings.Contains(","+controllers+",", ",memory,") {
			mount, file = "sys/fs/cgroup/memory", "memory.limit_in_bytes"
		} else if controllers != "" {
			continue
		}
		for dir := path.Join(mount, group); strings.HasPrefix(dir, mount); dir = path.Dir(dir) {
			name := path.Join(dir, file)
			value, err := fs.ReadFile(root, name)
			if err == nil && strings.TrimSpace(string(value)) == strconv.FormatUint(limit, 10) {
				return "/" + name
			}
		}
	}
	return ""
}
