// Package bench measures a server of Dapr's jobs API, and compares it with what the machine can do.
//
// A figure from a shared machine means little by itself. So each measurement is taken between two
// nulls, in the same run and with the same client: servers of the same protocol that do nothing.
// What is compared with a target is the ratio to the nulls, or the processor time of the server's
// process.
//
// [Run] starts other processes as needed: the nulls, which run [ServeNull], and the server under
// test, unless the address of a running one is given. They end when their standard input does, and
// so with this process, however it ends. Their data is in a directory below [Config].Dir, which Run
// removes.
//
// What it promises about a figure:
//
//   - Lateness is measured from the due instant, for every trigger. Jobs are scheduled beforehand: a
//     slow server does not slow down its own load.
//   - Every run counts. A job that was acknowledged and not delivered, delivered twice, or delivered
//     early is a fault in the [RowResult], however fast the run was.
//   - A measurement that fails says why in its [RowResult]; the others are still taken.
//
// One load runs at a time. The memory of the client grows with the triggers of a burst, not with
// the stored jobs.
package bench
