package main

import (
	"flag"
	"time"
)

const schedulerUsage = `Usage: carillon scheduler [flags]

Runs the Scheduler service, for sidecars of Dapr. It takes the flags of Dapr's own scheduler, and is called scheduler if
its file is: put it in that one's place. Jobs are kept in the folder carillon in --etcd-data-dir.
`

// A schedulerConfig is the flags of scheduler that mean something here.
type schedulerConfig struct {
	listenAddress, healthzAddress, metricsAddress string
	port, healthzPort, metricsPort                int
	metrics                                       bool
	broadcast                                     string
	id                                            string
	cluster                                       list
	dataDir                                       string
	embed                                         bool
	endpoints                                     list
	username, password                            string
	tls                                           bool
	mode, kubeconfig                              string
	workers                                       uint
	log                                           logConfig
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
	fs.Var(&c.cluster, "etcd-initial-cluster",
		"`id=url` of each scheduler, with commas between them; only one so far (default: "+defaultCluster+")")
	fs.StringVar(&c.dataDir, "etcd-data-dir", "./data", "`folder` in which the folder carillon holds the jobs")
	fs.BoolVar(&c.embed, "etcd-embed", true, "keep the jobs in --etcd-data-dir; false is not supported yet")
	fs.Var(&c.endpoints, "etcd-client-endpoints", "`addresses` of an external etcd; not supported yet")
	fs.StringVar(&c.username, "etcd-client-username", "", "`user` of an external etcd; not supported yet")
	fs.StringVar(&c.password, "etcd-client-password", "", "`password` of an external etcd; not supported yet")
	fs.BoolVar(&c.tls, "tls-enabled", false, "speak mTLS with sidecars; not supported yet")
	choiceVar(fs, &c.mode, "mode", "where it runs: standalone; kubernetes is not supported yet", "standalone", "kubernetes")
	fs.StringVar(&c.kubeconfig, "kubeconfig", "", "`file`, for --mode=kubernetes; not supported yet")
	c.log.flags(fs)

	fs.UintVar(&c.workers, "workers", 2048, "at least 1; otherwise "+inert)
	inertFlags(fs)
	return fs, c
}

const inert = "accepted, without effect here"

// inertFlags adds the flags that are about what is not here: Dapr's embedded etcd, and mTLS. Values that Dapr would
// refuse are refused.
func inertFlags(fs *flag.FlagSet) {
	text := func(name, value string) { fs.String(name, value, inert) }
	text("trust-domain", "localhost")
	text("trust-anchors-file", "/var/run/secrets/dapr.io/tls/ca.crt")
	text("sentry-address", "")
	text("identity-directory-write", "")

	number := func(name string, value uint64) { fs.Uint64(name, value, inert) }
	number("etcd-client-port", 2379)
	number("etcd-snapshot-count", 100_000)
	number("etcd-max-snapshots", 10)
	number("etcd-max-wals", 10)
	number("etcd-backend-batch-limit", 10_000)
	number("etcd-max-txn-ops", 10_000)
	number("etcd-experimental-bootstrap-defrag-threshold-megabytes", 100)

	text("etcd-client-listen-address", "localhost")
	fs.Var(new(quantity("9.2E")), "etcd-space-quota", inert)
	choiceVar(fs, new(string), "etcd-compaction-mode", inert, "revision", "periodic")
	text("etcd-compaction-retention", "1000000")
	fs.Duration("etcd-backend-batch-interval", 100*time.Millisecond, inert)
	fs.Bool("etcd-initial-election-tick-advance", false, inert)
	choiceVar(fs, new(string), "etcd-metrics", inert, "basic", "extensive")
}
