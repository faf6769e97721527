package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"carillon/internal/app"
	"carillon/internal/sidecar"
	"carillon/internal/store/datadir"
)

const devUsage = `Usage: carillon dev [flags] [-- command args...]

Runs sidecar, scheduler and store in one process, for development. With a command after --, it also starts that app with
DAPR_HTTP_PORT, DAPR_GRPC_PORT, APP_ID and APP_PORT set; both stop together. Jobs are kept in .carillon in the current
directory, so that each project has its own.

  carillon dev --app-id sub --app-port 6000 -- ./my-app
  carillon dev --app orders=http://127.0.0.1:6000 --app mail=grpc://127.0.0.1:6001
`

const (
	// defaultAppGrace is how long the app may take to stop before it is killed.
	defaultAppGrace = 5 * time.Second
	// outputDelay is how long output is copied after the app and its child processes have ended.
	outputDelay = time.Second
)

// devConfig are the flags of dev.
type devConfig struct {
	appID, appProtocol       string
	appPort                  int
	apps                     list
	appGrace                 time.Duration
	dataDir, keyFile         string
	httpPort, grpcPort, port int
	allowedHosts             list
	strict                   bool
	memory                   memoryConfig
	management               managementConfig
	log                      logConfig
}

func devFlags() (*flag.FlagSet, *devConfig) {
	c := &devConfig{}
	fs := flag.NewFlagSet("dev", flag.ContinueOnError)
	fs.StringVar(&c.appID, "app-id", "", "default app `ID`, used when the dapr-app-id header is absent")
	portVar(fs, &c.appPort, "app-port", 0, "`port` on which the default app receives its triggers")
	fs.StringVar(&c.appProtocol, "app-protocol", "http", "`protocol` of the default app: http, https, h2c, grpc or grpcs")
	fs.DurationVar(&c.appGrace, "app-grace-period", defaultAppGrace, "`duration` between SIGTERM and SIGKILL when the started app is stopped")
	fs.Var(&c.apps, "app", "another app, as `ID=URL`, such as mail=grpc://127.0.0.1:6001; may be repeated")
	fs.StringVar(&c.dataDir, "data-dir", "", "`directory` of the store (default: .carillon/data in the current directory)")
	fs.StringVar(&c.keyFile, "encryption-key-file", "", keyFileUsage)
	portVar(fs, &c.httpPort, "dapr-http-port", 3500, "`port` of the jobs API over HTTP")
	portVar(fs, &c.grpcPort, "dapr-grpc-port", 50001, "`port` of the jobs API over gRPC")
	portVar(fs, &c.port, "port", 50006, "`port` of the Scheduler service, for other sidecars")
	fs.Var(&c.allowedHosts, "allowed-hosts", allowedHosts)
	fs.BoolVar(&c.strict, "strict", false, strictUsage)
	c.management.flags(fs)
	c.memory.flags(fs)
	c.log.flags(fs)
	return fs, c
}

// node checks the flags and returns the configuration of the node.
func (c *devConfig) node(std stdio) (app.AllInOneConfig, error) {
	cfg := app.AllInOneConfig{Sidecar: fromDaprEnvironment(std)}
	side := &cfg.Sidecar
	side.DefaultApp, side.AnyApp, side.Strict = c.appID, true, c.strict
	var err error
	if side.Hosts, err = hostsOf(c.allowedHosts); err != nil {
		return cfg, usagef("%v", err)
	}
	if c.appID != "" {
		if err := checkAppID(c.appID); err != nil {
			return cfg, usagef("--app-id: %v", err)
		}
	}
	switch {
	case c.appPort != 0 && slices.Contains([]int{c.httpPort, c.grpcPort, c.port}, c.appPort):
		return cfg, usagef("--app-port %d is a port of the node itself: choose another port for the app", c.appPort)
	case c.appPort != 0 && c.appID == "":
		return cfg, usagef("--app-port needs --app-id: name the app that listens there")
	case c.appGrace < 0:
		return cfg, usagef("--app-grace-period %v is negative: give 0 or more", c.appGrace)
	}
	port := cmp.Or(c.appPort, 1) // the protocol is checked even without a port
	a, err := parseApp(cmp.Or(c.appID, "app") + "=" + cmp.Or(strings.ToLower(c.appProtocol), "http") + "://localhost:" + strconv.Itoa(port))
	if err != nil {
		return cfg, usagef("--app-protocol: %v", err)
	}
	if c.appPort != 0 {
		side.Apps = append(side.Apps, a)
	}
	for _, text := range c.apps {
		a, err := parseApp(text)
		if err != nil {
			return cfg, usagef("--app %s: %v", text, err)
		}
		if slices.ContainsFunc(side.Apps, func(b sidecar.App) bool { return b.ID == a.ID }) {
			return cfg, usagef("--app %s: the app %s is given twice; give each app one address", text, a.ID)
		}
		side.Apps = append(side.Apps, a)
	}
	cfg.Store.Dir = c.dataDir
	if cfg.Store.Dir == "" {
		cfg.Store.Dir, err = projectDir()
	}
	return cfg, err
}

// parseApp parses ID=URL.
func parseApp(text string) (sidecar.App, error) {
	id, address, ok := strings.Cut(text, "=")
	if !ok {
		return sidecar.App{}, errors.New("it is not of the form ID=URL, such as mail=http://127.0.0.1:6000")
	}
	if err := checkAppID(id); err != nil {
		return sidecar.App{}, err
	}
	u, err := url.Parse(address)
	switch {
	case address != "" && !strings.Contains(address, "://"):
		return sidecar.App{}, fmt.Errorf("%q has no protocol: write %s=http://%s", address, id, address)
	case err != nil:
		return sidecar.App{}, err
	case u.Scheme == "":
		return sidecar.App{}, fmt.Errorf("%q is not a URL, such as http://127.0.0.1:6000", address)
	case !slices.Contains([]string{"http", "https", "h2c", "grpc", "grpcs"}, u.Scheme):
		return sidecar.App{}, fmt.Errorf("protocol %q is unknown: use http, https, h2c, grpc or grpcs", u.Scheme)
	case u.Port() == "" || u.Hostname() == "":
		return sidecar.App{}, fmt.Errorf("%q needs a host and a port, such as http://127.0.0.1:6000", address)
	case u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.User != nil:
		return sidecar.App{}, fmt.Errorf("%q has more than a protocol, a host and a port: remove the rest", address)
	}
	return sidecar.App{ID: id, Protocol: u.Scheme, Address: u.Host}, nil
}

// checkAppID checks Dapr's rules for app ids (sidecar specification §5.1).
func checkAppID(id string) error {
	switch {
	case id == "":
		return errors.New("the app id is empty")
	case strings.Contains(id, "."):
		return fmt.Errorf("the app id %q contains a dot", id)
	}
	return nil
}

// projectDir returns the store directory of the project in the current directory. It creates the parent
// directory with a .gitignore file.
func projectDir() (string, error) {
	const project = ".carillon"
	err := datadir.Make(project)
	if file := filepath.Join(project, ".gitignore"); err == nil {
		if _, missing := os.Stat(file); missing != nil {
			err = os.WriteFile(file, []byte("*\n"), 0o600)
		}
	}
	if err != nil {
		return "", fmt.Errorf("create the data directory in the current directory: %w; choose another with --data-dir", err)
	}
	return filepath.Join(project, "data"), nil
}
