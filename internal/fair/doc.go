// Package fair divides what is scarce among many, so that one that wants much does not take the part of another that
// wants little: a [Queue] divides turns, a [Pool] room.
//
// Neither locks, reads a clock or starts a goroutine. Both keep only what is in use: a key that holds nothing costs
// nothing.
package fair
