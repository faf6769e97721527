package bench

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
)

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
	return c.checkRows()
}

// checkRows returns an error if a row in Only cannot be measured with the configuration.
func (c Config) checkRows() error {
	for _, row := range c.Only {
		known := slices.DeleteFunc(steps(), func(s step) bool { return !slices.Contains(s.rows, row) })
		if len(known) == 0 {
			return fmt.Errorf("there is no row %d that is measured here", row)
		}
		if !slices.ContainsFunc(known, func(s step) bool { return c.measures(s.kind) }) {
			return fmt.Errorf("row %d needs a server of another kind than the one that is given", row)
		}
	}
	return nil
}
