// Package fair divides scarce resources fairly among keys: a [Queue] divides turns, a [Pool] capacity. A key that asks for
// much does not take the part of one that asks for little.
//
// Neither locks, reads a clock or starts a goroutine. Both keep only what is in use: a key that holds nothing costs
// nothing for long.
package fair
