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
	allowedHosts                                  list
	broadcast                                     string
	id                                            string
	dataDir                                       string
	etcd                                          etcdConfig
	tls                                           bool
	trustDomain, anchors, sentry                  string
	files                                         tlsFiles
	quota                                         quotaConfig
	keyFile                                       string
	mode, kubeconfig                              string
	workers                                       uint
	memory                                        memoryConfig
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

	fs.Var(&c.allowedHosts, "allowed-hosts", allowedHosts)

	fs.StringVar(&c.id, "id", "dapr-scheduler-server-0", "`id` of this scheduler, one of those in --etcd-initial-cluster")
	fs.StringVar(&c.dataDir, "etcd-data-dir", "./data", "`folder` that holds the jobs, in a folder of ours")
	c.etcd.flags(fs)
	fs.BoolVar(&c.tls, "tls-enabled", false, "speak mTLS with sidecars, with a certificate from Dapr's Sentry")
	fs.StringVar(&c.trustDomain, "trust-domain", "localhost", "`domain` of the SPIFFE ids of this scheduler and of Sentry")
	fs.StringVar(&c.anchors, "trust-anchors-file", "", "`file` of the certificates, in PEM, that sign all others; it is followed when it changes")
	fs.StringVar(&c.sentry, "sentry-address", "", "`host:port` of Sentry (default: dapr-sentry.NAMESPACE.svc:443)")
	c.files.flags(fs)
	c.quota.flags(fs)
	fs.StringVar(&c.keyFile, "encryption-key-file", "", keyFileUsage)
	choiceVar(fs, &c.mode, "mode", "where it runs: standalone, or in a pod of kubernetes, which implies --tls-enabled", "standalone", "kubernetes")
	fs.StringVar(&c.kubeconfig, "kubeconfig", "", "`file`, for --mode=kubernetes, that says which API server to ask, and as whom (default: the pod's own)")
	c.memory.flags(fs)
	c.log.flags(fs)

	fs.UintVar(&c.workers, "workers", 2048, "at least 1; otherwise "+inert)
	inertFlags(fs)
	return fs, c
}

const keyFileUsage = "`file` of the keys that payloads are encrypted with on the disk, the newest first; it is followed when it changes"

const inert = "accepted, without effect here"

// inertFlags adds the flags that are about what is not here: identity files.
func inertFlags(fs *flag.FlagSet) {
	text := func(name, value string) { fs.String(name, value, inert) }
	text("identity-directory-write", "")
}
