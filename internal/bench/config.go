package bench

import "slices"

// Config configures a run.
type Config struct {
	// Sizes are the sizes of all loads; [Quick] and [Full] return some.
	Sizes Sizes
	// Only lists the rows to measure; empty means all.
	Only []int
	// Scheduler is the host:port of a running Scheduler service to measure. If it is empty, the run
	// starts one.
	Scheduler string
	// Sidecar is the URL of the jobs API of a running sidecar to measure, such as
	// http://127.0.0.1:3500. If it is empty, the run starts `carillon dev`.
	Sidecar string
	// AppID and AppPort are the app of that running sidecar. The run receives its triggers on this
	// port of this host.
	AppID   string
	AppPort int
	// Nodes is the number of schedulers to start as one cluster; only the cluster is measured then.
	// 0 means none.
	Nodes int
	// PID is the process of the running server; 0 if unknown or on another host.
	PID int
	// Callers make concurrent calls over this many Connections.
	Callers, Connections int
	// Payload is the size of a job's data, in bytes.
	Payload int
	// Dir is a directory on the disk to measure. The run creates a temporary directory in it.
	Dir string
	// Carillon is the path of the program to measure.
	Carillon string
	// Child is the command that runs a server by the name in its arguments: one of [ServeBaseline],
	// or [Apps]. It ends at SIGTERM.
	Child []string
	// Env is the environment of both.
	Env []string
	// ProfileDir is the directory for a CPU profile of each started process; empty means none.
	ProfileDir string
}

// wants reports whether any of the rows is to be measured.
func (c Config) wants(rows ...int) bool {
	return len(c.Only) == 0 || slices.ContainsFunc(rows, func(row int) bool { return slices.Contains(c.Only, row) })
}
