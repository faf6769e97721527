// Command mutate says how well the tests of packages notice mistakes: it makes small changes to the
// code, runs the tests that reach each, and lists the changes that no test fails for.
//
//	go run ./test/mutate -sample 200 -seed 1 ./internal/engine
//
// All changes, the mutants, are compiled into one test binary, and an environment variable says
// which of them is in force: so a package is built once. Each test is run alone first, to learn
// which mutants it reaches and how long it takes. Then each mutant of the sample has its tests run,
// the quick ones first, until one fails. A test that takes much longer than it did has failed, too.
// What no test reaches counts as not noticed.
//
// The changes are: a condition is negated, a comparison includes its bound or does not, == is !=
// and && is ||, + is - and * is +, a statement is left out, a function returns at once. Log lines,
// observed durations, and the release of timers and contexts when a function ends stay: the first
// two are for people, and go vet looks after the last. Mutants that behave like the code are listed
// in equivalent.txt, with the reason, and are no part of the sample.
package main
