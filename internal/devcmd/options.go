package devcmd

import (
	"sync/atomic"
	"time"

	"carillon/internal/flagvalue"
	"carillon/internal/nodecmd"
	"carillon/internal/terminal"
)

// devOptions are the flags of dev, and its surroundings.
type devOptions struct {
	std    *terminal.Streams
	atKill *atomic.Pointer[func()]

	appID, appProtocol       string
	appPort                  int
	apps                     flagvalue.Strings
	appGrace                 time.Duration
	dataDir, keyFile         string
	httpPort, grpcPort, port int
	allowedHosts             flagvalue.Strings
	strict                   bool
	memory                   nodecmd.MemoryFlags
	management               nodecmd.ManagementFlags
	log                      nodecmd.LogFlags
	command                  []string // of the app, or nil
}

const (
	// defaultAppGrace is how long the app may take to stop before it is killed.
	defaultAppGrace = 5 * time.Second
	// outputDelay is how long output is copied after the app and its child processes have ended.
	outputDelay = time.Second
)
