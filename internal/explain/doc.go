// Package explain says what a schedule means: in words, as its next instants, and as warnings about
// what surprises people.
//
// # What it promises
//
//   - Everything comes from the parsed schedule, never from its text. Words that are read again name
//     the same values; what has no clear words is "custom" with six fields.
//   - It is pure, like [when]: no clock, no I/O, no state. The caller passes the present instant.
//   - The work of each call and the size of each answer are bounded. It never panics on a plan that
//     [when.Words.Resolve] or [when.ParseRule] made.
//
// Warnings about the texts of durations are in [when.Words.Warnings], because they need the texts.
package explain
