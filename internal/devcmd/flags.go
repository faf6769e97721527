package devcmd

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"carillon/internal/app"
	"carillon/internal/exit"
	"carillon/internal/flagvalue"
	"carillon/internal/nodecmd"
	"carillon/internal/sidecar"
)

// addFlags adds the flags that fill o.
func (o *devOptions) addFlags(fs *pflag.FlagSet) {
	fs.StringVar(&o.appID, "app-id", "", "default app `ID`, used when the dapr-app-id header is absent")
	fs.Var(flagvalue.NewPort(&o.appPort, 0), "app-port", "`port` on which the default app receives its triggers")
	fs.StringVar(&o.appProtocol, "app-protocol", "http", "`protocol` of the default app: http, https, h2c, grpc or grpcs")
	fs.DurationVar(&o.appGrace, "app-grace-period", defaultAppGrace, "`duration` between SIGTERM and SIGKILL when the started app is stopped")
	fs.Var(&o.apps, "app", "another app, as `ID=URL`, such as mail=grpc://127.0.0.1:6001; may be repeated")
	fs.StringVar(&o.dataDir, "data-dir", "", "`directory` of the store (default: .carillon/data in the current directory)")
	fs.StringVar(&o.keyFile, "encryption-key-file", "", nodecmd.KeyFileUsage)
	fs.Var(flagvalue.NewPort(&o.httpPort, 3500), "dapr-http-port", "`port` of the jobs API over HTTP")
	fs.Var(flagvalue.NewPort(&o.grpcPort, 50001), "dapr-grpc-port", "`port` of the jobs API over gRPC")
	fs.Var(flagvalue.NewPort(&o.port, 50006), "port", "`port` of the Scheduler service, for other sidecars")
	fs.Var(&o.allowedHosts, "allowed-hosts", nodecmd.AllowedHosts)
	fs.BoolVar(&o.strict, "strict", false, nodecmd.StrictUsage)
	o.management.Flags(fs, func(v *nodecmd.ManagementPort, name, usage string) { fs.Var(v, name, usage) })
	o.memory.Flags(fs)
	o.log.Flags(fs)
}

// node checks the flags and returns the configuration of the node.
func (o *devOptions) node() (app.AllInOneConfig, error) {
	cfg := app.AllInOneConfig{Sidecar: nodecmd.FromDaprEnvironment(o.std)}
	side := &cfg.Sidecar
	side.DefaultApp, side.AnyApp, side.Strict = o.appID, true, o.strict
	var err error
	if side.Hosts, err = nodecmd.HostsOf(o.allowedHosts); err != nil {
		return cfg, exit.Usagef("%v", err)
	}
	if o.appID != "" {
		if err := checkAppID(o.appID); err != nil {
			return cfg, exit.Usagef("--app-id: %v", err)
		}
	}
	switch {
	case o.appPort != 0 && slices.Contains([]int{o.httpPort, o.grpcPort, o.port}, o.appPort):
		return cfg, exit.Usagef("--app-port %d is a port of the node itself: choose another port for the app", o.appPort)
	case o.appPort != 0 && o.appID == "":
		return cfg, exit.Usagef("--app-port needs --app-id: name the app that listens there")
	case o.appGrace < 0:
		return cfg, exit.Usagef("--app-grace-period %v is negative: give 0 or more", o.appGrace)
	}
	port := cmp.Or(o.appPort, 1) // the protocol is checked even without a port
	a, err := parseApp(cmp.Or(o.appID, "app") + "=" + cmp.Or(strings.ToLower(o.appProtocol), "http") + "://localhost:" + strconv.Itoa(port))
	if err != nil {
		return cfg, exit.Usagef("--app-protocol: %v", err)
	}
	if o.appPort != 0 {
		side.Apps = append(side.Apps, a)
	}
	for _, text := range o.apps {
		a, err := parseApp(text)
		if err != nil {
			return cfg, exit.Usagef("--app %s: %v", text, err)
		}
		if slices.ContainsFunc(side.Apps, func(b sidecar.App) bool { return b.ID == a.ID }) {
			return cfg, exit.Usagef("--app %s: the app %s is given twice; give each app one address", text, a.ID)
		}
		side.Apps = append(side.Apps, a)
	}
	cfg.Store.Dir = o.dataDir
	if cfg.Store.Dir == "" {
		cfg.Store.Dir, err = projectDir()
	}
	return cfg, err
}
