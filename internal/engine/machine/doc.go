// Package machine decides what is due in some partitions, and what follows.
//
// A [Machine] does no I/O, reads no clock and starts no goroutine. Its caller tells it the time and
// gives it the records it needs; the machine leaves in a batch what has to be committed before
// anyone may see its decisions. The same calls always lead to the same decisions, so scripts and a
// model can test them.
//
// Each job that is stored has one entry in the due index. Every entry is in exactly one of three
// places:
//
//   - in the window of its lane, in memory;
//   - after the cursor of its lane, only on disk;
//   - in flight, as a [Delivery].
//
// Memory is bounded by what is about to happen: windows are short, and deliveries in flight are
// limited. Targets share the limit fairly. A lane without entries is not kept.
//
// A caller drives the machine in turns:
//
//  1. [Machine.Pick] removes due attempts from the windows; [Machine.Fire] makes a delivery of each.
//  2. [Machine.Settle] records outcomes; [Machine.Schedule] and [Machine.Remove] carry out commands.
//  3. The caller commits the batch. If that succeeds, [Machine.Checkpoint] makes the decisions
//     final. If the store applied nothing, [Machine.Rollback] undoes them. If it is unknown what
//     the store applied, [Machine.Reset] forgets everything that was read, and the partitions are
//     loaded again.
package machine
