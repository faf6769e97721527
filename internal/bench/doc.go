// Package bench measures a server of Dapr's jobs API, and compares it with what the machine can do.
//
// A value from a shared machine means little by itself. So most values are measured between two
// baselines, in the same run and with the same client: servers of the same protocol that do nothing.
// A threshold limits the ratio to the baselines, or the processor time of the server's process.
//
// [Run] runs steps, one at a time. A step starts a server under test, puts one load on it, and
// returns the rows of docs/performance.md that it measures. Each row has a file. Run starts other
// processes as needed: the baseline servers, which run [ServeBaseline], and the server under test,
// unless the address of a running one is given. On Linux they end when this process ends. Their data
// is in a directory below [Config].Dir, which Run removes.
//
// What it promises about a value:
//
//   - Lateness is measured from the due instant, for every trigger. Jobs are scheduled beforehand: a
//     slow server does not slow down its own load.
//   - A job that was acknowledged and not delivered, delivered twice, or delivered early is a fault
//     of the [RowResult], however fast the run was.
//   - A measurement that fails says why in its [RowResult]; the others still run.
//
// The memory of the client grows with the triggers of a burst, not with the stored jobs.
package bench
