package sidecarcmd

import (
	"flag"
	"time"

	"carillon/internal/flagvalue"
	"carillon/internal/nodecmd"
	"carillon/internal/roleflag"
)

const usage = `Usage: carillon sidecar [flags]

Runs the jobs API for an app, and delivers its triggers to it. It takes the flags of daprd. A copy of the binary that is
named daprd runs this command: put it in the place of Dapr's. Without --scheduler-host-address, calls of the API fail.

  carillon sidecar --app-id sub --app-port 6000 --scheduler-host-address localhost:50006
`

// sidecarOptions are the options of sidecar that have an effect. Ports and quantities are strings, which are
// checked after the log is open, as in daprd.
type sidecarOptions struct {
	appID, appPort, appProtocol, appAddress string
	appConcurrency                          int
	appSSL                                  bool

	appHealth                           bool
	appHealthPath                       string
	appHealthInterval, appHealthTimeout int // seconds; milliseconds
	appHealthThreshold                  int

	httpPort, grpcPort          string
	listenAddresses             flagvalue.CSV
	publicPort, publicAddress   string
	socketDir                   string
	allowedHosts                flagvalue.Strings
	metrics                     bool
	metricsPort, metricsAddress string
	maxBody, maxHeader          string
	logCalls                    bool
	strict                      bool
	memory                      nodecmd.MemoryFlags
	log                         nodecmd.LogFlags
	schedulers                  flagvalue.CSV
	streams                     uint
	graceSeconds                int
	block                       time.Duration
	printVersion, printBuild    flagvalue.Action
	wait                        flagvalue.Action
	mode                        string
	mtls                        bool
	sentry                      string
	files                       nodecmd.TLSFiles
	controlDomain               string
	controlNamespace            string
	internalPort                string
	internalAddress             string
	profilePort                 string
	initEndpoints               flagvalue.CSV
	actorsDisseminateTimeout    time.Duration
}

// sidecarFlags returns the flags of daprd and our own (sidecar specification §5.1).
func sidecarFlags() (*flag.FlagSet, *sidecarOptions) {
	c := &sidecarOptions{}
	fs := flag.NewFlagSet("sidecar", flag.ContinueOnError)
	fs.StringVar(&c.appID, "app-id", "", "app `ID`; required, without dots")
	fs.StringVar(&c.appPort, "app-port", "", "`port` on which the app receives its triggers (default: no app)")
	fs.StringVar(&c.appProtocol, "app-protocol", "http", "`protocol` of the app: http, https, h2c, grpc or grpcs")
	fs.StringVar(&c.appAddress, "app-channel-address", "127.0.0.1", "`address` of the app")
	fs.IntVar(&c.appConcurrency, "app-max-concurrency", -1, "maximum `number` of concurrent triggers; unlimited if 0 or less")
	fs.BoolVar(&c.appSSL, "app-ssl", false, roleflag.Hidden)
	fs.BoolVar(&c.appHealth, "enable-app-health-check", false, "deliver triggers only while the app's health check succeeds")
	fs.StringVar(&c.appHealthPath, "app-health-check-path", "/healthz", "`path` of the health check over HTTP")
	fs.IntVar(&c.appHealthInterval, "app-health-probe-interval", 5, "`seconds` between two health checks")
	fs.IntVar(&c.appHealthTimeout, "app-health-probe-timeout", 500, "timeout of a health check in `milliseconds`")
	fs.IntVar(&c.appHealthThreshold, "app-health-threshold", 3, "`number` of consecutive failed health checks after which the app is unhealthy")

	fs.StringVar(&c.httpPort, "dapr-http-port", "3500", "`port` of the HTTP API")
	fs.StringVar(&c.grpcPort, "dapr-grpc-port", "50001", "`port` of the gRPC API")
	fs.Var(&c.listenAddresses, "dapr-listen-addresses", "comma-separated `addresses` of both APIs (default: all interfaces)")
	fs.StringVar(&c.socketDir, "unix-domain-socket", "",
		"`directory` for the Unix sockets dapr-ID-http.socket and dapr-ID-grpc.socket, which replace the API ports")
	fs.StringVar(&c.publicPort, "dapr-public-port", "", "`port` of health and metadata only, without a token (default: none)")
	fs.StringVar(&c.publicAddress, "dapr-public-listen-address", "", "`address` of that port (default: all interfaces)")
	fs.StringVar(&c.internalPort, "dapr-internal-grpc-port", "", "internal `port` of daprd; it is open but serves nothing (default: a free port)")
	fs.StringVar(&c.internalAddress, "dapr-internal-grpc-listen-address", "127.0.0.1", "`address` of that port")
	fs.Var(&c.allowedHosts, "allowed-hosts", nodecmd.AllowedHosts)
	fs.StringVar(&c.maxBody, "max-body-size", "4Mi", "maximum `size` of a request or message")
	fs.StringVar(&c.maxHeader, "read-buffer-size", "4Ki", "maximum `size` of the headers of a request")
	fs.BoolVar(&c.strict, "strict", false, nodecmd.StrictUsage)
	fs.BoolVar(&c.logCalls, "enable-api-logging", false, "log each API call")

	fs.Var(&c.schedulers, "scheduler-host-address",
		"comma-separated `addresses` of schedulers (default: $DAPR_SCHEDULER_HOST_ADDRESS_DNS_A, or none)")
	fs.UintVar(&c.streams, "scheduler-job-streams", 3, "`number` of trigger streams from each scheduler; at least 1")

	fs.BoolVar(&c.metrics, "enable-metrics", true, "serve metrics for Prometheus")
	fs.StringVar(&c.metricsPort, "metrics-port", "9090", "`port` of the metrics")
	fs.StringVar(&c.metricsAddress, "metrics-listen-address", "0.0.0.0", "`address` of the metrics")
	c.memory.Flags(fs)
	c.log.Flags(fs)

	fs.IntVar(&c.graceSeconds, "dapr-graceful-shutdown-seconds", 5, "graceful shutdown timeout in `seconds`; unlimited if 0")
	fs.DurationVar(&c.block, "dapr-block-shutdown-duration", 0,
		"`duration` for which a shutdown is delayed, unless the app becomes unhealthy")
	fs.Var(&c.printVersion, "version", "print the Dapr version that this sidecar replaces, and exit")
	fs.Var(&c.printBuild, "build-info", "print build information, and exit")
	fs.Var(&c.wait, "wait", "wait up to a minute until the sidecar at --dapr-http-port of this host is ready, and exit")

	fs.StringVar(&c.mode, "mode", "standalone", "environment: standalone, or kubernetes, where the pod's token authenticates to Sentry")
	fs.BoolVar(&c.mtls, "enable-mtls", false, "use mTLS with schedulers, with a certificate from Dapr's Sentry")
	fs.StringVar(&c.sentry, "sentry-address", "", "`host:port` of Sentry")
	fs.StringVar(&c.controlDomain, "control-plane-trust-domain", "",
		"trust `domain` of the SPIFFE ids of schedulers and of Sentry (default: $DAPR_CONTROLPLANE_TRUST_DOMAIN, or localhost)")
	fs.StringVar(&c.controlNamespace, "control-plane-namespace", "",
		"`namespace` in the SPIFFE ids of schedulers and of Sentry (default: $DAPR_CONTROLPLANE_NAMESPACE, or default)")
	c.files.Flags(fs)
	inertSidecarFlags(fs, c)
	return fs, c
}

// inertSidecarFlags adds flags of daprd that have no effect: those of actors, components and Kubernetes.
// Values that daprd refuses are refused.
func inertSidecarFlags(fs *flag.FlagSet, c *sidecarOptions) {
	text := func(name string) { fs.String(name, "", roleflag.Inert) }
	texts := func(name string) { fs.Var(new(flagvalue.CSV), name, roleflag.Inert) }
	fs.StringVar(&c.profilePort, "profile-port", "7777", roleflag.Inert)
	fs.Bool("enable-profiling", false, roleflag.Inert)
	fs.Var(&c.initEndpoints, "disable-init-endpoints", "config, subscribe or both; "+roleflag.Inert)

	texts("config")
	texts("resources-path")
	text("allowed-origins")
	fs.Bool("disable-builtin-k8s-secret-store", false, roleflag.Inert)
	fs.Duration("app-binding-options-timeout", 3*time.Second, roleflag.Inert)
	fs.Duration("hot-reload-reconcile-interval", time.Minute, roleflag.Inert)

	text("placement-host-address")
	fs.DurationVar(&c.actorsDisseminateTimeout, "actors-disseminate-timeout", 30*time.Second, "must be greater than 0; otherwise "+roleflag.Inert)
	texts("sentry-request-jwt-audiences")
	text("control-plane-address")

	for _, name := range []string{"actors-service", "reminders-service"} {
		fs.String(name, "", roleflag.Hidden)
	}
	fs.Var(new(flagvalue.CSV), "components-path", roleflag.Hidden)
	fs.Int("dapr-http-max-request-size", -1, roleflag.Hidden)
	fs.Int("dapr-http-read-buffer-size", -1, roleflag.Hidden)
}
