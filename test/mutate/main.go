package main

import (
	"bufio"
	"context"
	_ "embed"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

func main() {
	ctx := context.Background() //nolint:forbidigo // it is the main function
	c := settings{out: os.Stdout}
	flag.IntVar(&c.sample, "sample", 0, "how many mutants of each package to try; 0 is all")
	flag.Uint64Var(&c.seed, "seed", 1, "chooses the sample")
	flag.IntVar(&c.jobs, "jobs", 2, "how many tests to run at a time")
	flag.Func("only", "try the mutants whose description this regular expression matches", func(text string) (err error) {
		c.only, err = regexp.Compile(text)
		return err
	})
	flag.Parse()
	failed := false
	for _, pattern := range flag.Args() {
		all, err := list(ctx, pattern)
		for i := 0; i < len(all) && err == nil; i++ {
			err = c.judge(ctx, all[i])
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			failed = true
		}
	}
	if failed {
		os.Exit(1) //nolint:forbidigo // it is the main function
	}
}

type settings struct {
	sample, jobs int
	seed         uint64
	only         *regexp.Regexp // nil tries all
	out          io.Writer      // what was found
}

//go:embed equivalent.txt
var equivalent string

// equivalents returns the names of the mutants of a package that no test can notice.
func equivalents(path string) map[string]bool {
	names, within := map[string]bool{}, ""
	for line := range strings.Lines(equivalent) {
		switch line = strings.TrimSpace(line); {
		case line == "" || strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, "package "):
			within = strings.TrimPrefix(line, "package ")
		case strings.HasSuffix(path, within):
			names[line] = true
		}
	}
	return names
}

// judge tries mutants of a package, and says what became of them.
func (c settings) judge(ctx context.Context, p pkg) error {
	dir, err := os.MkdirTemp("", "mutate")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	all, err := sources(ctx, p)
	if err != nil || len(all) == 0 {
		return err
	}
	binary, err := build(ctx, p, all, dir)
	if err != nil {
		return err
	}
	r := runner{binary: binary, dir: p.Dir, scratch: dir, out: c.out}
	tests, err := r.learn(ctx, c.jobs)
	if err != nil {
		return err
	}
	known := equivalents(p.ImportPath)
	var mutants []mutant
	same := 0
	for _, s := range all {
		for _, m := range s.mutants {
			switch {
			case known[m.name()]:
				same++
			case c.only == nil || c.only.MatchString(m.String()):
				mutants = append(mutants, m)
			}
		}
	}
	total := len(mutants)
	rand.New(rand.NewPCG(c.seed, 0)).Shuffle(total, func(i, j int) { mutants[i], mutants[j] = mutants[j], mutants[i] })
	if c.sample > 0 && c.sample < total {
		mutants = mutants[:c.sample]
	}
	var survivors []string
	var mu sync.Mutex
	each(c.jobs, mutants, func(m mutant) {
		reach := tests.reaching(m.id)
		if len(reach) > 0 && r.notices(ctx, m, reach) {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		text := m.String()
		if len(reach) == 0 {
			text += " (no test reaches it)"
		}
		fmt.Fprintln(c.out, "SURVIVED", text)
		survivors = append(survivors, text)
	})
	slices.Sort(survivors)
	noticed := len(mutants) - len(survivors)
	fmt.Fprintf(c.out, "%s: %d of %d mutants noticed, %.1f %%; a sample with the seed %d of %d, and %d that are equivalent\n",
		p.ImportPath, noticed, len(mutants), 100*float64(noticed)/float64(max(1, len(mutants))), c.seed, total, same)
	return nil
}

// each calls do for all, some at a time.
func each[T any](jobs int, all []T, do func(T)) {
	var workers sync.WaitGroup
	queue := make(chan T)
	for range max(1, jobs) {
		workers.Go(func() {
			for v := range queue {
				do(v)
			}
		})
	}
	for _, v := range all {
		queue <- v
	}
	close(queue)
	workers.Wait()
}

// A test is one of the package's.
type test struct {
	name    string
	took    time.Duration
	reached map[int]bool
}

type tests []test

// reaching returns the tests that reach a mutant, the quick ones first.
func (all tests) reaching(id int) (some tests) {
	for _, t := range all {
		if t.reached[id] {
			some = append(some, t)
		}
	}
	slices.SortFunc(some, func(a, b test) int { return int(a.took - b.took) })
	return some
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
