// Package job says what a job is: the [Key] that names it, the [Spec] that its user asked for, the
// [Trigger] that an app receives when the job is due, and the [Outcome] of an attempt. Its errors
// mean the same in every layer.
//
// All are plain values. The engine knows how far a job has got.
package job
