package main

import (
	"slices"
	"time"
)

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
