// Package bench measures a server of Dapr's jobs API, and puts what it finds beside what the machine can do at all.
//
// A figure of a shared machine says little by itself. So each is taken between two nulls, in the same run and with the
// same client: servers of the same protocol with nothing behind them. What is compared with a bar is the ratio, or
// the processor time that the server's process has used by the system's account of it.
//
// [Run] starts what it needs as processes of their own, through [Config].Command: the nulls, whose side is [ServeNull],
// and the server under test, unless the address of a running one is given. They end when their standard input does, and
// so with this process, however it ends. Their data is in a folder below [Config].Dir, which Run removes.
//
// What it promises about a figure:
//
//   - Lateness is counted from the due instant, from every trigger. Where it is the measure, jobs are scheduled
//     beforehand: a slow server does not slow its own load down.
//   - Every run counts. A job that was acknowledged and not delivered, delivered twice, or before it was due, is a fault
//     of the [Result], however fast the run was.
//   - A measure that cannot be taken says why in its [Result]; the others are taken.
//
// One load runs at a time. What the client holds grows with the triggers of a burst, not with what is stored.
package bench
