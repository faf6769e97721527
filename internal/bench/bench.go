package bench

import (
	"fmt"
	"os"
	"path/filepath"
)

// A bench is one run of the measurements.
type bench struct {
	cfg       Config
	dir       string // temporary directory of the run
	runID     string // part of the app IDs: runs against one server use different apps
	appCount  int    // number of app IDs in use
	children  int    // number of processes that write a profile
	baselines map[string]*child
	progress  func(doing string)
}

// newApp returns an app ID that no other measurement uses.
func (b *bench) newApp() string {
	b.appCount++
	return fmt.Sprintf("bench-%s-%d", b.runID, b.appCount)
}

// newDir returns the path of a data directory that does not exist yet.
func (b *bench) newDir(name string) (string, error) {
	dir, err := os.MkdirTemp(b.dir, name+"-")
	return filepath.Join(dir, "data"), err
}

// dial returns a client of the servers at the addresses, with the configured number of connections.
func (b *bench) dial(addresses ...string) (*client, error) {
	return dial(b.cfg.Connections, b.cfg.Payload, addresses...)
}
