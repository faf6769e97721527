// Package fair divides scarce resources fairly among keys: a [Queue] divides turns, a [Pool]
// divides capacity, and [Rates] limits each key to the same rate. A key that asks for much does not
// take the share of one that asks for little.
//
// Nothing here reads a clock or starts a goroutine, and only Rates locks. Each keeps only keys in
// use: a key that holds nothing is soon forgotten.
package fair
