package main

import (
	"flag"
	"time"
)

const sidecarUsage = `Usage: carillon sidecar [flags]

Runs the jobs API for an app, and brings the app its triggers. It takes the flags of daprd, and is called daprd if its
file is: put it in that one's place. Without --scheduler-host-address there is an API, and no scheduler behind it.

  carillon sidecar --app-id sub --app-port 6000 --scheduler-host-address localhost:50006
`

// A sidecarConfig is the flags of sidecar that mean something here. Ports and quantities are texts, which are checked
// when the log is open, as in daprd.
type sidecarConfig struct {
	appID, appPort, appProtocol, appAddress string
	appConcurrency                          int
	appSSL                                  bool

	appHealth                           bool
	appHealthPath                       string
	appHealthInterval, appHealthTimeout int // seconds; milliseconds
	appHealthThreshold                  int

	httpPort, grpcPort          string
	listenAddresses             csvList
	publicPort, publicAddress   string
	socketDir                   string
	allowedHosts                list
	metrics                     bool
	metricsPort, metricsAddress string
	maxBody, maxHeader          string
	logCalls                    bool
	strict                      bool
	memory                      memoryConfig
	log                         logConfig
	schedulers                  csvList
	streams                     uint
	graceSeconds                int
	block                       time.Duration
	printVersion, printBuild    action
	wait                        action
	mode                        string
	mtls                        bool
	sentry                      string
	files                       tlsFiles
	controlDomain               string
	controlNamespace            string
	internalPort                string
	internalAddress             string
	profilePort                 string
	initEndpoints               csvList
	actorsDisseminateTimeout    time.Duration
}

// strictUsage is the usage of --strict.
const strictUsage = "refuse a request to schedule that would be accepted with a warning, such as one with an unknown field"

// hidden is the usage of a flag that only old tools give. Neither help nor completion shows it.
const hidden = ""

// sidecarFlags returns the flags of daprd (sidecar specification §5.1).
func sidecarFlags() (*flag.FlagSet, *sidecarConfig) {
	c := &sidecarConfig{}
	fs := flag.NewFlagSet("sidecar", flag.ContinueOnError)
	fs.StringVar(&c.appID, "app-id", "", "`id` of the app; it must not be empty, nor contain dots")
	fs.StringVar(&c.appPort, "app-port", "", "`port` on which the app listens for its triggers (default: there is no app)")
	fs.StringVar(&c.appProtocol, "app-protocol", "http", "what the app speaks: http, https, h2c, grpc or grpcs")
	fs.StringVar(&c.appAddress, "app-channel-address", "127.0.0.1", "`address` of the app")
	fs.IntVar(&c.appConcurrency, "app-max-concurrency", -1, "`number` of triggers that the app has at once; no limit if not above 0")
	fs.BoolVar(&c.appSSL, "app-ssl", false, hidden)
	fs.BoolVar(&c.appHealth, "enable-app-health-check", false, "send triggers only while the app says that it is healthy")
	fs.StringVar(&c.appHealthPath, "app-health-check-path", "/healthz", "`path` at which an app over HTTP is asked for its health")
	fs.IntVar(&c.appHealthInterval, "app-health-probe-interval", 5, "`seconds` between two probes of its health")
	fs.IntVar(&c.appHealthTimeout, "app-health-probe-timeout", 500, "`milliseconds` that a probe may take")
	fs.IntVar(&c.appHealthThreshold, "app-health-threshold", 3, "`number` of failed probes that make the app unhealthy")

	fs.StringVar(&c.httpPort, "dapr-http-port", "3500", "`port` of the API over HTTP")
	fs.StringVar(&c.grpcPort, "dapr-grpc-port", "50001", "`port` of the API over gRPC")
	fs.Var(&c.listenAddresses, "dapr-listen-addresses", "`addresses` of both APIs, with commas between them (default: all interfaces)")
	fs.StringVar(&c.socketDir, "unix-domain-socket", "",
		"`folder` for the sockets dapr-ID-http.socket and dapr-ID-grpc.socket, on which both APIs are then, and on no port")
	fs.StringVar(&c.publicPort, "dapr-public-port", "", "`port` of health and metadata alone, which needs no token (default: none)")
	fs.StringVar(&c.publicAddress, "dapr-public-listen-address", "", "`address` of that port (default: all interfaces)")
	fs.StringVar(&c.internalPort, "dapr-internal-grpc-port", "", "`port` on which Dapr's sidecars call one another; nothing is served there (default: a free one)")
	fs.StringVar(&c.internalAddress, "dapr-internal-grpc-listen-address", "127.0.0.1", "`address` of that port")
	fs.Var(&c.allowedHosts, "allowed-hosts", allowedHosts)
	fs.StringVar(&c.maxBody, "max-body-size", "4Mi", "`size` of the largest request or message")
	fs.StringVar(&c.maxHeader, "read-buffer-size", "4Ki", "`size` of the largest headers")
	fs.BoolVar(&c.strict, "strict", false, strictUsage)
	fs.BoolVar(&c.logCalls, "enable-api-logging", false, "log each call of the API")

	fs.Var(&c.schedulers, "scheduler-host-address",
		"`addresses` of schedulers, with commas between them (default: $DAPR_SCHEDULER_HOST_ADDRESS_DNS_A, or none)")
	fs.UintVar(&c.streams, "scheduler-job-streams", 3, "`number` of streams from each scheduler; at least 1")

	fs.BoolVar(&c.metrics, "enable-metrics", true, "serve metrics for Prometheus")
	fs.StringVar(&c.metricsPort, "metrics-port", "9090", "`port` of the metrics")
	fs.StringVar(&c.metricsAddress, "metrics-listen-address", "0.0.0.0", "`address` of the metrics")
	c.memory.flags(fs)
	c.log.flags(fs)

	fs.IntVar(&c.graceSeconds, "dapr-graceful-shutdown-seconds", 5, "`seconds` within which it stops, or is ended; no bound if 0")
	fs.DurationVar(&c.block, "dapr-block-shutdown-duration", 0,
		"`duration` for which everything goes on when it is to stop, or until the app is unhealthy")
	fs.Var(&c.printVersion, "version", "print the version of Dapr that this stands in for, and end")
	fs.Var(&c.printBuild, "build-info", "print what this was built from, and end")
	fs.Var(&c.wait, "wait", "wait up to a minute for the sidecar whose API is on --dapr-http-port of this host, and end")

	fs.StringVar(&c.mode, "mode", "standalone", "where it runs: standalone, or in a pod of kubernetes, whose token Sentry is shown")
	fs.BoolVar(&c.mtls, "enable-mtls", false, "speak mTLS with schedulers, with a certificate from Dapr's Sentry")
	fs.StringVar(&c.sentry, "sentry-address", "", "`host:port` of Sentry")
	fs.StringVar(&c.controlDomain, "control-plane-trust-domain", "",
		"`domain` of the SPIFFE ids of schedulers and of Sentry (default: $DAPR_CONTROLPLANE_TRUST_DOMAIN, or localhost)")
	fs.StringVar(&c.controlNamespace, "control-plane-namespace", "",
		"`namespace` in those ids (default: $DAPR_CONTROLPLANE_NAMESPACE, or default)")
	c.files.flags(fs)
	inertSidecarFlags(fs, c)
	return fs, c
}

// inertSidecarFlags adds the flags that are about what is not here: actors, components and Kubernetes. Values that
// daprd would refuse are refused.
func inertSidecarFlags(fs *flag.FlagSet, c *sidecarConfig) {
	text := func(name string) { fs.String(name, "", inert) }
	texts := func(name string) { fs.Var(new(csvList), name, inert) }
	fs.StringVar(&c.profilePort, "profile-port", "7777", inert)
	fs.Bool("enable-profiling", false, inert)
	fs.Var(&c.initEndpoints, "disable-init-endpoints", "config, subscribe or both: "+inert+", where neither is called")

	texts("config")
	texts("resources-path")
	text("allowed-origins")
	fs.Bool("disable-builtin-k8s-secret-store", false, inert)
	fs.Duration("app-binding-options-timeout", 3*time.Second, inert)
	fs.Duration("hot-reload-reconcile-interval", time.Minute, inert)

	text("placement-host-address")
	fs.DurationVar(&c.actorsDisseminateTimeout, "actors-disseminate-timeout", 30*time.Second, "more than 0; otherwise "+inert)
	texts("sentry-request-jwt-audiences")
	text("control-plane-address")

	for _, name := range []string{"actors-service", "reminders-service"} {
		fs.String(name, "", hidden)
	}
	fs.Var(new(csvList), "components-path", hidden)
	fs.Int("dapr-http-max-request-size", -1, hidden)
	fs.Int("dapr-http-read-buffer-size", -1, hidden)
}
