package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"carillon/internal/app"
	"carillon/internal/descriptors"
	"carillon/internal/memory"
	"carillon/internal/sidecar"
	"carillon/internal/store/datadir"
)

const devUsage = `Usage: carillon dev [flags] [-- command args...]

Runs sidecar, scheduler and store in one process, for development. With a command after --, it also starts that app,
with DAPR_HTTP_PORT, DAPR_GRPC_PORT, APP_ID and APP_PORT set, and both stop together. Jobs are kept in .carillon, in the
directory in which you start it, so that each project has its own.

  carillon dev --app-id sub --app-port 6000 -- ./my-app
  carillon dev --app orders=http://127.0.0.1:6000 --app mail=grpc://127.0.0.1:6001
`

// A devConfig is the flags of dev.
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
	log                      logConfig
}

func devFlags() (*flag.FlagSet, *devConfig) {
	c := &devConfig{}
	fs := flag.NewFlagSet("dev", flag.ContinueOnError)
	fs.StringVar(&c.appID, "app-id", "", "`id` of the app that requests without a dapr-app-id header are about")
	portVar(fs, &c.appPort, "app-port", 0, "`port` on which that app listens for its triggers")
	fs.StringVar(&c.appProtocol, "app-protocol", "http", "what that app speaks: http, https, h2c, grpc or grpcs")
	fs.DurationVar(&c.appGrace, "app-grace-period", defaultAppGrace, "`duration` that the started app has to stop before it is killed")
	fs.Var(&c.apps, "app", "another app, as `ID=URL`, such as mail=grpc://127.0.0.1:6001; may be given several times")
	fs.StringVar(&c.dataDir, "data-dir", "", "`directory` of the store (default: .carillon/data in the current directory)")
	fs.StringVar(&c.keyFile, "encryption-key-file", "", keyFileUsage)
	portVar(fs, &c.httpPort, "dapr-http-port", 3500, "`port` of the jobs API over HTTP")
	portVar(fs, &c.grpcPort, "dapr-grpc-port", 50001, "`port` of the jobs API over gRPC")
	portVar(fs, &c.port, "port", 50006, "`port` of the Scheduler service, for other sidecars")
	fs.Var(&c.allowedHosts, "allowed-hosts", allowedHosts)
	fs.BoolVar(&c.strict, "strict", false, strictUsage)
	c.memory.flags(fs)
	c.log.flags(fs)
	return fs, c
}

// errNodeEnded says that the node has ended without an error; the app that was started with it then stops too.
var errNodeEnded = errors.New("the node has ended")

// dev runs the all-in-one node until ctx ends, the app that it started does, or a client asks for it.
func dev(ctx context.Context, args []string, std stdio) error {
	args, command := cutCommand(args)
	fs, c := devFlags()
	if err := parse(fs, devUsage, args, std); err != nil {
		return err
	}
	log, closeLog, err := c.log.open(std.Err)
	if err != nil {
		return err
	}
	defer closeLog()
	cfg, err := c.node(std)
	if err != nil {
		return err
	}
	dir, err := filepath.Abs(cfg.Store.Dir)
	if err != nil {
		return fmt.Errorf("--data-dir %s: %w", cfg.Store.Dir, err)
	}
	keys, err := openKeys(c.keyFile)
	if err != nil {
		return err
	}
	fmt.Fprintf(std.Out, "carillon dev keeps its jobs in %s; Ctrl-C stops it.\n", dir)
	shares, release, err := c.memory.apply(ctx, memory.AllInOne, std, log)
	if err != nil {
		return err
	}
	defer release()
	cfg.Memory = shares
	cfg.Descriptors = divideDescriptors(ctx, descriptors.Parts{Store: true, Sidecar: true}, log)
	cfg.Engine.Keys, cfg.Engine.Punctual = keys, true
	l, err := c.listen(ctx)
	if err != nil {
		return err
	}
	forced := make(chan struct{})
	cfg.OnForcedShutdown = sync.OnceFunc(func() { close(forced) })
	node, err := app.OpenAllInOne(cfg, l, nil, log)
	if err != nil {
		return fmt.Errorf("--data-dir %s: %w", dir, err)
	}
	c.announce(cfg, std)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return cmp.Or(node.Run(ctx), errNodeEnded) })
	if len(command) > 0 {
		g.Go(func() error { return runApp(ctx, command, c.appEnv(), c.appGrace, std) })
	}
	return awaitEnd(g, forced, std)
}

// awaitEnd waits until the node and its app have ended, or until a client has asked for their end at once: then the app is
// killed, and the process is to end without the node.
func awaitEnd(g *errgroup.Group, forced <-chan struct{}, std stdio) error {
	ended := make(chan error, 1)
	go func() { ended <- g.Wait() }()
	select {
	case err := <-ended:
		if errors.Is(err, errAppEnded) || errors.Is(err, errNodeEnded) {
			return nil
		}
		return err
	case <-forced:
	}
	if std.AtKill != nil {
		if kill := std.AtKill.Load(); kill != nil {
			(*kill)()
		}
	}
	return errForced
}

// node checks the flags and returns the configuration that they mean.
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
		return cfg, usagef("--app-port %d is a port of the node itself: the app needs one of its own", c.appPort)
	case c.appPort != 0 && c.appID == "":
		return cfg, usagef("--app-port needs --app-id: the jobs of which app are to be delivered there?")
	case c.appGrace < 0:
		return cfg, usagef("--app-grace-period %v: it is at least 0", c.appGrace)
	}
	port := cmp.Or(c.appPort, 1) // the protocol is checked also if nothing is delivered
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
			return cfg, usagef("--app %s: the app %s is there already; one id has one address", text, a.ID)
		}
		side.Apps = append(side.Apps, a)
	}
	cfg.Store.Dir = c.dataDir
	if cfg.Store.Dir == "" {
		cfg.Store.Dir, err = projectDir()
	}
	return cfg, err
}

// parseApp reads ID=URL.
func parseApp(text string) (sidecar.App, error) {
	id, address, ok := strings.Cut(text, "=")
	if !ok {
		return sidecar.App{}, errors.New("not of the form ID=URL, such as mail=http://127.0.0.1:6000")
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
		return sidecar.App{}, fmt.Errorf("%q is no URL, such as http://127.0.0.1:6000", address)
	case !slices.Contains([]string{"http", "https", "h2c", "grpc", "grpcs"}, u.Scheme):
		return sidecar.App{}, fmt.Errorf("protocol %q is none of http, https, h2c, grpc and grpcs", u.Scheme)
	case u.Port() == "" || u.Hostname() == "":
		return sidecar.App{}, fmt.Errorf("%q names no host and port, such as http://127.0.0.1:6000", address)
	case u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.User != nil:
		return sidecar.App{}, fmt.Errorf("%q has more than a protocol, a host and a port", address)
	}
	return sidecar.App{ID: id, Protocol: u.Scheme, Address: u.Host}, nil
}

// checkAppID holds an app id to Dapr's rules (sidecar specification §5.1).
func checkAppID(id string) error {
	switch {
	case id == "":
		return errors.New("the app id is empty")
	case strings.Contains(id, "."):
		return fmt.Errorf("the app id %q contains a dot", id)
	}
	return nil
}

// projectDir returns the directory of the store of the project in the current directory, and makes what is above it,
// with a file that tells git to ignore it.
func projectDir() (string, error) {
	const project = ".carillon"
	err := datadir.Make(project)
	if file := filepath.Join(project, ".gitignore"); err == nil {
		if _, missing := os.Stat(file); missing != nil {
			err = os.WriteFile(file, []byte("*\n"), 0o600)
		}
	}
	if err != nil {
		return "", fmt.Errorf("make the directory of the store in the current directory: %w; choose another with --data-dir", err)
	}
	return filepath.Join(project, "data"), nil
}

// listen opens the ports of the node on both loopback addresses, or says which flag names one that is in use. A port of 0
// becomes a free one.
func (c *devConfig) listen(ctx context.Context) (l app.AllInOneListeners, err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, l.Close())
		}
	}()
	if l.HTTP, err = listenLoopback(ctx, "dapr-http-port", &c.httpPort); err != nil {
		return l, err
	}
	if l.GRPC, err = listenLoopback(ctx, "dapr-grpc-port", &c.grpcPort); err != nil {
		return l, err
	}
	l.Scheduler, err = listenLoopback(ctx, "port", &c.port)
	return l, err
}

// announce tells a person where everything is.
func (c *devConfig) announce(cfg app.AllInOneConfig, std stdio) {
	fmt.Fprintf(std.Out, "  %-12s http://localhost:%d\n", "HTTP API", c.httpPort)
	fmt.Fprintf(std.Out, "  %-12s localhost:%d\n", "gRPC API", c.grpcPort)
	fmt.Fprintf(std.Out, "  %-12s localhost:%d\n", "Scheduler", c.port)
	for _, a := range cfg.Sidecar.Apps {
		fmt.Fprintf(std.Out, "  %-12s %s at %s://%s\n", "app", a.ID, a.Protocol, a.Address)
	}
	if len(cfg.Sidecar.Apps) == 0 {
		fmt.Fprintf(std.Out, "  %-12s none here; jobs wait for a sidecar of their app\n", "app")
	}
	id := "sub"
	if c.appID != "" {
		id = c.appID
	} else if len(cfg.Sidecar.Apps) > 0 {
		id = cfg.Sidecar.Apps[0].ID
	}
	fmt.Fprintf(std.Out, "Schedule a job:\n  curl -X POST http://localhost:%d/v1.0-alpha1/jobs/hello -H 'dapr-app-id: %s' "+
		"-d '{\"job\": {\"dueTime\": \"5s\", \"data\": \"hi\"}}'\n", c.httpPort, id)
}

// appEnv returns what the app that dev starts is told.
func (c *devConfig) appEnv() []string {
	env := []string{
		"DAPR_HTTP_PORT=" + strconv.Itoa(c.httpPort), "DAPR_GRPC_PORT=" + strconv.Itoa(c.grpcPort), "APP_ID=" + c.appID,
	}
	if c.appPort != 0 {
		env = append(env, "APP_PORT="+strconv.Itoa(c.appPort))
	}
	return env
}
