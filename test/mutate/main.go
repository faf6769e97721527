package main

import (
	"context"
	_ "embed"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
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
