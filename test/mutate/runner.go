package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
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

// learn runs each test alone, and returns those that pass.
func (r runner) learn(ctx context.Context, jobs int) (tests, error) {
	out, err := r.command(ctx, time.Minute, nil, "-test.list", "^(Test|Fuzz|Example)")
	if err != nil {
		return nil, fmt.Errorf("list the tests: %w\n%s", err, out)
	}
	var names []string
	for line := range strings.Lines(out) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "Test") || strings.HasPrefix(line, "Fuzz") || strings.HasPrefix(line, "Example") {
			names = append(names, line)
		}
	}
	var all tests
	var mu sync.Mutex
	each(jobs, names, func(name string) {
		reached := filepath.Join(r.scratch, name)
		begin := time.Now()
		out, err := r.command(ctx, 10*time.Minute, []string{"MUTANT_REACHED=" + reached}, "-test.run", "^"+name+"$")
		t := test{name: name, took: time.Since(begin), reached: map[int]bool{}}
		if f, err := os.Open(reached); err == nil {
			for lines := bufio.NewScanner(f); lines.Scan(); {
				var n int
				if _, err := fmt.Sscan(lines.Text(), &n); err == nil {
					t.reached[n] = true
				}
			}
			f.Close()
		}
		mu.Lock()
		defer mu.Unlock()
		if err != nil {
			fmt.Fprintf(r.out, "%s fails without a mutant, and is left out: %v\n%s\n", name, err, tail(out))
			return
		}
		all = append(all, t)
	})
	return all, nil
}

func tail(text string) string { return text[max(0, len(text)-2000):] }

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
