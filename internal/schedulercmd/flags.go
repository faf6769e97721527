package schedulercmd

import (
	"flag"

	"carillon/internal/flagvalue"
	"carillon/internal/nodecmd"
	"carillon/internal/roleflag"
)

const usage = `Usage: carillon scheduler [flags]

Runs the Scheduler service for sidecars of Dapr. It takes the flags of Dapr's scheduler. A copy of the binary that is named
scheduler runs this command: put it in the place of Dapr's.

A single scheduler keeps its jobs in the subdirectory carillon of --etcd-data-dir:

  carillon scheduler --etcd-data-dir /var/lib/carillon

Three schedulers survive the loss of any one of them. Run each on its own machine, with its own --id and this list:

  carillon scheduler --id a --etcd-data-dir /var/lib/carillon \
    --etcd-initial-cluster a=http://10.0.0.1:2380,b=http://10.0.0.2:2380,c=http://10.0.0.3:2380
`

// schedulerOptions are the flags of scheduler that have an effect.
type schedulerOptions struct {
	listenAddress, healthzAddress, metricsAddress string
	port, healthzPort, metricsPort                int
	metrics                                       bool
	allowedHosts                                  flagvalue.Strings
	broadcast                                     string
	id                                            string
	dataDir                                       string
	etcd                                          etcdOptions
	tls                                           bool
	trustDomain, anchors, sentry                  string
	files                                         nodecmd.TLSFiles
	quota                                         quotaOptions
	keyFile                                       string
	mode, kubeconfig                              string
	workers                                       uint
	memory                                        nodecmd.MemoryFlags
	management                                    nodecmd.ManagementFlags
	log                                           nodecmd.LogFlags

	set []string // names of the flags that were given
}

// schedulerFlags returns the flags of Dapr's Scheduler service and our own (scheduler specification §7.1).
func schedulerFlags() (*flag.FlagSet, *schedulerOptions) {
	c := &schedulerOptions{}
	fs := flag.NewFlagSet("scheduler", flag.ContinueOnError)
	fs.Var(flagvalue.NewPort(&c.port, 50006), "port", "`port` of the Scheduler service")
	fs.StringVar(&c.listenAddress, "listen-address", "", "`address` of the Scheduler service (default: all interfaces)")
	fs.StringVar(&c.broadcast, "override-broadcast-host-port", "",
		"`host:port` that sidecars are told to connect to (default: the host's address, or $DAPR_HOST_IP, with --port)")
	fs.Var(flagvalue.NewPort(&c.healthzPort, 8080), "healthz-port", "`port` of GET /healthz")
	fs.StringVar(&c.healthzAddress, "healthz-listen-address", "", "`address` of GET /healthz (default: all interfaces)")
	fs.BoolVar(&c.metrics, "enable-metrics", true, "serve metrics for Prometheus")
	fs.Var(flagvalue.NewPort(&c.metricsPort, 9090), "metrics-port", "`port` of the metrics")
	fs.StringVar(&c.metricsAddress, "metrics-listen-address", "",
		"`address` of the metrics (default: --listen-address if it is set, else 0.0.0.0)")

	c.management.Flags(fs, func(v *nodecmd.ManagementPort, name, usage string) { fs.Var(v, name, usage) })
	fs.Var(&c.allowedHosts, "allowed-hosts", nodecmd.AllowedHosts)

	fs.StringVar(&c.id, "id", "dapr-scheduler-server-0", "`ID` of this scheduler, as in --etcd-initial-cluster")
	fs.StringVar(&c.dataDir, "etcd-data-dir", "./data", "data `directory`; the jobs are in a subdirectory")
	c.etcd.flags(fs)
	fs.BoolVar(&c.tls, "tls-enabled", false, "use mTLS with sidecars, with a certificate from Dapr's Sentry")
	fs.StringVar(&c.trustDomain, "trust-domain", "localhost", "trust `domain` of the SPIFFE ids of this scheduler and of Sentry")
	fs.StringVar(&c.anchors, "trust-anchors-file", "", "`file` with the trust anchors in PEM; reloaded when it changes")
	fs.StringVar(&c.sentry, "sentry-address", "", "`host:port` of Sentry (default: dapr-sentry.NAMESPACE.svc:443)")
	c.files.Flags(fs)
	c.quota.flags(fs)
	fs.StringVar(&c.keyFile, "encryption-key-file", "", nodecmd.KeyFileUsage)
	fs.Var(flagvalue.NewChoice(&c.mode, "standalone", "kubernetes"), "mode", "environment: standalone, or kubernetes, which implies --tls-enabled")
	fs.StringVar(&c.kubeconfig, "kubeconfig", "", "kubeconfig `file` for --mode=kubernetes (default: the pod's service account)")
	c.memory.Flags(fs)
	c.log.Flags(fs)

	fs.UintVar(&c.workers, "workers", 2048, "must be at least 1; otherwise "+roleflag.Inert)
	inertFlags(fs)
	return fs, c
}

// inertFlags adds flags of Dapr's scheduler that have no effect.
func inertFlags(fs *flag.FlagSet) {
	text := func(name, value string) { fs.String(name, value, roleflag.Inert) }
	text("identity-directory-write", "")
}
