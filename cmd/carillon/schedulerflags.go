package main

import "flag"

const schedulerUsage = `Usage: carillon scheduler [flags]

Runs the Scheduler service, for sidecars of Dapr. It takes the flags of Dapr's own scheduler, and is called scheduler if
its file is: put it in that one's place.

A scheduler alone keeps its jobs in the folder carillon in --etcd-data-dir:

  carillon scheduler --etcd-data-dir /var/lib/carillon

Three that survive the loss of any one of them, each on its own machine, with its own --id and this list:

  carillon scheduler --id a --etcd-data-dir /var/lib/carillon \
    --etcd-initial-cluster a=http://10.0.0.1:2380,b=http://10.0.0.2:2380,c=http://10.0.0.3:2380
`

// A schedulerConfig is the flags of scheduler that mean something here.
type schedulerConfig struct {
	listenAddress, healthzAddress, metricsAddress string
	port, healthzPort, metricsPort                int
	metrics                                       bool
	broadcast                                     string
	id                                            string
	dataDir                                       string
	etcd                                          etcdConfig
	tls                                           bool
	mode, kubeconfig                              string
	workers                                       uint
	log                                           logConfig

	set []string // the flags that were given
}

const defaultCluster = "dapr-scheduler-server-0=http://localhost:2380"

// schedulerFlags returns the flags of Dapr's Scheduler service (scheduler specification §7.1).
func schedulerFlags() (*flag.FlagSet, *schedulerConfig) {
	c := &schedulerConfig{}
	fs := flag.NewFlagSet("scheduler", flag.ContinueOnError)
	portVar(fs, &c.port, "port", 50006, "`port` of the Scheduler service")
	fs.StringVar(&c.listenAddress, "listen-address", "", "`address` of the Scheduler service (default: all interfaces)")
	fs.StringVar(&c.broadcast, "override-broadcast-host-port", "",
		"`host:port` at which sidecars reach this scheduler (default: the host's own address, or $DAPR_HOST_IP, with --port)")
	portVar(fs, &c.healthzPort, "healthz-port", 8080, "`port` of GET /healthz")
	fs.StringVar(&c.healthzAddress, "healthz-listen-address", "", "`address` of GET /healthz (default: all interfaces)")
	fs.BoolVar(&c.metrics, "enable-metrics", true, "serve metrics for Prometheus")
	portVar(fs, &c.metricsPort, "metrics-port", 9090, "`port` of the metrics")
	fs.StringVar(&c.metricsAddress, "metrics-listen-address", "",
		"`address` of the metrics (default: that of --listen-address if it is given, or else 0.0.0.0)")

	fs.StringVar(&c.id, "id", "dapr-scheduler-server-0", "`id` of this scheduler, one of those in --etcd-initial-cluster")
	fs.StringVar(&c.dataDir, "etcd-data-dir", "./data", "`folder` that holds the jobs, in a folder of ours")
	c.etcd.flags(fs)
	fs.BoolVar(&c.tls, "tls-enabled", false, "speak mTLS with sidecars; not supported yet")
	choiceVar(fs, &c.mode, "mode", "where it runs: standalone; kubernetes is not supported yet", "standalone", "kubernetes")
	fs.StringVar(&c.kubeconfig, "kubeconfig", "", "`file`, for --mode=kubernetes; not supported yet")
	c.log.flags(fs)

	fs.UintVar(&c.workers, "workers", 2048, "at least 1; otherwise "+inert)
	inertFlags(fs)
	return fs, c
}

const inert = "accepted, without effect here"

// inertFlags adds the flags that are about what is not here: mTLS.
func inertFlags(fs *flag.FlagSet) {
	text := func(name, value string) { fs.String(name, value, inert) }
	text("trust-domain", "localhost")
	text("trust-anchors-file", "/var/run/secrets/dapr.io/tls/ca.crt")
	text("sentry-address", "")
	text("identity-directory-write", "")
}
