package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

// A runner runs the tests of a package, in its folder.
type runner struct {
	binary, dir, scratch string
	out                  io.Writer
}

// command runs the test binary with the arguments.
func (r runner) command(ctx context.Context, most time.Duration, env []string, args ...string) (out string, err error) {
	ctx, cancel := context.WithTimeout(ctx, most+10*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, r.binary, append([]string{"-test.timeout", most.String()}, args...)...)
	cmd.Dir = r.dir
	cmd.Env = append(os.Environ(), env...)
	cmd.WaitDelay = time.Second
	b, err := cmd.CombinedOutput()
	return string(b), err
}

// atATime is for how long tests are run before it is looked whether one has failed.
const atATime = 2 * time.Second

// notices reports whether one of the tests fails with the mutant.
func (r runner) notices(ctx context.Context, m mutant, all tests) bool {
	for len(all) > 0 {
		n, took := 0, time.Duration(0)
		var names []string
		for n < len(all) && (n == 0 || took+all[n].took < atATime) && n < 40 {
			names, took = append(names, all[n].name), took+all[n].took
			n++
		}
		most := 20*time.Second + 4*took
		_, err := r.command(ctx, most, []string{fmt.Sprintf("MUTANT=%d", m.id)}, "-test.failfast", "-test.run", "^("+strings.Join(names, "|")+")$")
		if err != nil {
			return true
		}
		all = all[n:]
	}
	return false
}
