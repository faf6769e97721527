// Package job says what a job is: the [Key] that names it, the [Spec] that its user asked for, the [Trigger] that an
// app receives when it falls due, the [Outcome] of an attempt, and the errors that mean the same in every layer.
//
// All are plain values without behaviour over time; how far a job has got is the engine's to know.
package job
