package bench

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"
)

// Config configures a run.
type Config struct {
	// Sizes are the sizes of all loads; [Quick] and [Full] return some.
	Sizes Sizes
	// Only are the rows to measure; empty means all.
	Only []int
	// Scheduler is the host:port of a running Scheduler service to measure. If it is empty, one is started.
	Scheduler string
	// Sidecar is the URL of the jobs API of a running sidecar to measure, such as http://127.0.0.1:3500. If it is
	// empty, `carillon dev` is started.
	Sidecar string
	// AppID and AppPort are the app that a running sidecar serves: its triggers are expected on that port of this host.
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
	// Dir is a directory on the disk to measure; data is in a new directory in it.
	Dir string
	// Carillon is the path of the program to measure.
	Carillon string
	// Child is the command that runs a server by the name in its arguments: a null of [ServeNull],
	// or [Apps]. It ends at SIGTERM.
	Child []string
	// Env is the environment of both.
	Env []string
	// ProfileDir is the directory for a CPU profile of each started process; empty means none.
	ProfileDir string
}

// Sizes are the sizes of all loads of a run.
type Sizes struct {
	Name      string        `json:"name"`
	Rounds    int           `json:"rounds"`      // how often a throughput is measured; the median counts
	Window    time.Duration `json:"window_ns"`   // how long one throughput is measured
	Calls     int           `json:"calls"`       // of one caller alone
	Burst     int           `json:"burst"`       // jobs that are due at one instant
	Recurring int           `json:"recurring"`   // jobs at @every 1s
	Repeats   int           `json:"repeats"`     // of each of those
	Losses    int           `json:"losses"`      // nodes of a cluster that are lost, one after the other
	Idle      time.Duration `json:"idle_ns"`     // how long the lateness of an idle server is measured, at 100 triggers a second
	Few       int           `json:"few"`         // jobs that count as hardly any
	List      int           `json:"list"`        // jobs in one list
	Stored    int           `json:"stored"`      // jobs far in the future
	Hung      int           `json:"hung"`        // jobs due for an app that hangs
	Beside    int           `json:"beside"`      // jobs that are due at one instant beside the stored ones
	Busy      int           `json:"busy"`        // jobs of the apps that have more work than the server can do
	Overload  time.Duration `json:"overload_ns"` // how long the lateness and the calls beside those are measured, each
	Soak      time.Duration `json:"soak_ns"`     // how long rounds go on beside the stored jobs; at least one
	Rest      time.Duration `json:"rest_ns"`     // how long a server is left alone before its memory is read
	Linger    time.Duration `json:"linger_ns"`   // how long a run goes on listening for what must not come
	Patience  time.Duration `json:"patience_ns"` // how long no trigger may come before the rest are given up as lost
}

// Quick returns sizes for a run of less than two minutes.
func Quick() Sizes {
	return Sizes{
		Name: "quick", Rounds: 1, Window: 1200 * time.Millisecond, Calls: 500, Burst: 20_000, Recurring: 20_000, Repeats: 5, Losses: 1,
		Idle: 3 * time.Second, Few: 10_000, List: 30_000, Stored: 50_000, Hung: 20_000, Beside: 5000,
		Busy: 20_000, Overload: 3 * time.Second,
		Rest: time.Second, Linger: 500 * time.Millisecond, Patience: 10 * time.Second,
	}
}

// Full returns the sizes for which the targets are defined.
func Full() Sizes {
	return Sizes{
		Name: "full", Rounds: 5, Window: 5 * time.Second, Calls: 3000, Burst: 20_000, Recurring: 20_000, Repeats: 60, Losses: 6,
		Idle: time.Minute, Few: 10_000, List: 300_000, Stored: 10_000_000, Hung: 1_000_000, Beside: 20_000,
		Busy: 20_000, Overload: 10 * time.Second,
		Soak: 30 * time.Minute, Rest: 10 * time.Second, Linger: 2 * time.Second, Patience: time.Minute,
	}
}

// wants reports whether any of the rows is to be measured.
func (c Config) wants(rows ...int) bool {
	return len(c.Only) == 0 || slices.ContainsFunc(rows, func(row int) bool { return slices.Contains(c.Only, row) })
}

// Check returns what is wrong with the configuration, or nil.
func (c Config) Check() error {
	switch {
	case c.Callers < 1 || c.Connections < 1:
		return fmt.Errorf("%d callers over %d connections: it takes at least one of each", c.Callers, c.Connections)
	case c.Nodes < 0 || c.Nodes == 1 || c.Nodes > 9:
		return fmt.Errorf("%d nodes are no cluster: it takes 2 to 9", c.Nodes)
	case c.Nodes > 0 && (c.Scheduler != "" || c.Sidecar != ""):
		return errors.New("the nodes of a cluster are started here: name no running server")
	case c.Payload < 0:
		return fmt.Errorf("a payload of %d bytes: it is at least 0", c.Payload)
	case c.Sidecar != "" && (c.AppID == "" || c.AppPort == 0):
		return fmt.Errorf("the sidecar at %s was told the id and the port of its app: give both with --app-id and --app-port", c.Sidecar)
	}
	if u, err := url.Parse(c.Sidecar); c.Sidecar != "" && (err != nil || u.Scheme != "http" || u.Port() == "") {
		return fmt.Errorf("%q is no URL of a sidecar, such as http://127.0.0.1:3500", c.Sidecar)
	}
	for _, row := range c.Only {
		known := slices.DeleteFunc(steps(), func(s step) bool { return !slices.Contains(s.rows, row) })
		if len(known) == 0 {
			return fmt.Errorf("there is no row %d that is measured here", row)
		}
		if !slices.ContainsFunc(known, func(s step) bool { return c.has(s.of) }) {
			return fmt.Errorf("row %d needs a server of another kind than the one that is given", row)
		}
	}
	return nil
}
