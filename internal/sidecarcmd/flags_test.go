package sidecarcmd

import (
	"flag"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"carillon/internal/exit"
	"carillon/internal/nodecmd"
	"carillon/internal/roleflag"
	"carillon/internal/sidecar"
	"carillon/internal/terminal/terminaltest"
)

// flagsOfDaprd are all flags of daprd (sidecar specification §5.1) with accepted values, and five of our own.
var flagsOfDaprd = map[string]string{
	"tls-cert-file": "cert.pem", "tls-key-file": "key.pem", "tls-ca-file": "ca.pem", "memory-limit": "128Mi",
	"allowed-hosts": "sidecar,10.0.0.1", "strict": "true",
	"app-id": "sub", "app-port": "6000", "app-protocol": "grpc", "app-channel-address": "localhost",
	"app-max-concurrency": "-1", "app-ssl": "true", "dapr-http-port": "3501", "dapr-grpc-port": "50002",
	"dapr-listen-addresses": "127.0.0.1,::1", "dapr-internal-grpc-port": "50003",
	"dapr-internal-grpc-listen-address": "127.0.0.1", "dapr-public-port": "3502",
	"dapr-public-listen-address": "127.0.0.1", "metrics-port": "9091", "metrics-listen-address": "127.0.0.1",
	"enable-metrics": "true", "profile-port": "-1", "enable-profiling": "true", "log-level": "debug",
	"log-as-json": "true", "log-file": "log", "enable-api-logging": "true", "enable-app-health-check": "true",
	"app-health-check-path": "/ok", "app-health-probe-interval": "1", "app-health-probe-timeout": "100",
	"app-health-threshold": "1", "scheduler-host-address": "a:1,b:2", "scheduler-job-streams": "1", "mode": "standalone",
	"enable-mtls": "true", "sentry-address": "a:1", "sentry-request-jwt-audiences": "a,b", "control-plane-address": "a:1",
	"control-plane-namespace": "dapr", "control-plane-trust-domain": "cluster.local", "placement-host-address": "localhost:50005",
	"actors-disseminate-timeout": "1s", "actors-service": "placement:a:1", "reminders-service": "scheduler:a:1",
	"config": "a.yaml,b.yaml", "resources-path": "a,b", "components-path": "a", "max-body-size": "4Mi",
	"read-buffer-size": "4Ki", "dapr-http-max-request-size": "4", "dapr-http-read-buffer-size": "4", "allowed-origins": "*",
	"disable-init-endpoints": "config,subscribe", "disable-builtin-k8s-secret-store": "true",
	"dapr-graceful-shutdown-seconds": "-1", "dapr-block-shutdown-duration": "1m0s", "app-binding-options-timeout": "1s",
	"hot-reload-reconcile-interval": "1s", "unix-domain-socket": "dir", "version": "true", "build-info": "true",
	"wait": "true",
}

func TestDaprdFlagsParseInEachSpelling(t *testing.T) {
	std, help, _ := terminaltest.Streams()
	all, _ := sidecarFlags()
	if err := roleflag.Parse(all, usage, []string{"--help"}, std); err == nil {
		t.Error("help was not asked for")
	}
	all.VisitAll(func(f *flag.Flag) {
		if _, ok := flagsOfDaprd[f.Name]; !ok {
			t.Errorf("--%s is no flag of daprd", f.Name)
		}
		if shown := strings.Contains(help.String(), "  --"+f.Name); shown == (f.Usage == roleflag.Hidden) {
			t.Errorf("--%s is hidden: %v; help shows it: %v", f.Name, !shown, shown)
		}
	})
	for name, value := range flagsOfDaprd {
		spellings := [][]string{{"--" + name, value}, {"-" + name, value}, {"--" + name + "=" + value}, {"-" + name + "=" + value}}
		if value == "true" {
			spellings = append(spellings[2:], []string{"--" + name}, []string{"-" + name})
		}
		for _, args := range spellings {
			fs, _ := sidecarFlags()
			if err := roleflag.Parse(fs, usage, args, std); err != nil {
				t.Errorf("%v: %v", args, err)
			} else if got := fs.Lookup(name).Value.String(); got != value {
				t.Errorf("%v means %q, want %q", args, got, value)
			}
		}
	}
}

func TestFlagsThatDaprdRefusesAreFatal(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"", "parameter app-id cannot be empty"},
		{"--app-id=", "parameter app-id cannot be empty"},
		{"--app-id a.b", "parameter app-id cannot contain dots"},
		{"--app-id a --app-protocol ftp", "--app-protocol ftp is unknown: use http, https, h2c, grpc or grpcs"},
		{"--app-id a --log-level loud", `--log-level \"loud\" is unknown: use trace, debug, info, warn, error or fatal`},
		{"--app-id a --log-file no/such/folder/log", "--log-file: open no/such/folder/log"},
		{"--app-id a --app-port 3500", "--app-port 3500 is also --dapr-http-port"},
		{"--app-id a --app-port 50001", "--app-port 50001 is also --dapr-grpc-port"},
		{"--app-id a --app-port x", `--app-port \"x\": a port must be a number from 0 to 65535`},
		{"--app-id a --dapr-http-port x", `--dapr-http-port \"x\": a port must be a number from 0 to 65535`},
		{"--app-id a --dapr-grpc-port=", `--dapr-grpc-port \"\": a port must be a number from 0 to 65535`},
		{"--app-id a --dapr-public-port 70000", `--dapr-public-port \"70000\": a port must be a number from 0 to 65535`},
		{"--app-id a --metrics-port x", `--metrics-port \"x\"`},
		{"--app-id a --profile-port x", `--profile-port \"x\"`},
		{"--app-id a --dapr-internal-grpc-port x", `--dapr-internal-grpc-port \"x\"`},
		{"--app-id a --app-health-probe-timeout 5001", "--app-health-probe-timeout 5001 (milliseconds) must not be larger"},
		{"--app-id a --app-health-probe-interval 1 --app-health-probe-timeout 1001", "--app-health-probe-timeout 1001"},
		{"--app-id a --app-health-check-path /%zz", "--app-health-check-path: "},
		{"--app-id a --scheduler-job-streams 0", "--scheduler-job-streams 0: give at least 1"},
		{"--app-id a --disable-init-endpoints config,actors", `--disable-init-endpoints: \"actors\" is neither config nor subscribe`},
		{"--app-id a --actors-disseminate-timeout 0s", "--actors-disseminate-timeout 0s: it must be greater than 0"},
		{"--app-id a --max-body-size 4MB", "--max-body-size 4MB: a size must be a number and a unit"},
		{"--app-id a --read-buffer-size -1", "--read-buffer-size -1: a size must be at least 1 byte"},
		{"--app-id a --scheduler-host-address a:1,b", `--scheduler-host-address: \"b\" is not of the form host:port`},
		{"--app-id a --mode swarm", "--mode swarm is unknown: use standalone or kubernetes"},
		{"--app-id a --enable-mtls", "--enable-mtls needs --sentry-address"},
		{"--app-id a --enable-mtls --sentry-address s:1", "trust anchors are required: set DAPR_TRUST_ANCHORS"},
		{"--app-id a --enable-mtls --sentry-address s:1 --tls-ca-file no/file", "trust anchors: open no/file"},
		{"--app-id a --enable-mtls --sentry-address s:1 --control-plane-trust-domain A", "--control-plane-trust-domain"},
		{"--app-id a --tls-cert-file c --tls-key-file k", "--tls-cert-file, --tls-key-file and --tls-ca-file belong together"},
		{"--app-id a --tls-cert-file c --tls-key-file k --tls-ca-file no/file", "open c: "},
		{"--app-id a --unix-domain-socket no/such/folder", "--unix-domain-socket no/such/folder: "},
		{"--app-id a --dapr-listen-addresses 127.0.0.1,192.0.2.7 --dapr-http-port 0", "--dapr-listen-addresses 192.0.2.7: "},
	} {
		for _, format := range []string{"", " --log-as-json"} {
			std, out, errs := terminaltest.Streams()
			code, _ := exit.Of(runSidecar(t.Context(), strings.Fields(c.args+format), std))
			if code != exit.Failed || errs.Len() > 0 || !strings.Contains(out.String(), c.want) ||
				!strings.Contains(out.String(), "fatal") || strings.HasPrefix(out.String(), "{") != (format != "") {
				t.Errorf("sidecar %s%s: exit code %d, stdout %s, stderr %s", c.args, format, code, out, errs)
			}
		}
	}
}

func TestSidecarFlagsSetConfig(t *testing.T) {
	base := func(change func(*sidecar.Config)) sidecar.Config {
		cfg := sidecar.Config{
			Apps: []sidecar.App{{
				ID: "a", Protocol: "http", MaxConcurrency: -1,
				Health: sidecar.HealthCheck{Path: "/healthz", Interval: 5 * time.Second, Timeout: 500 * time.Millisecond, Threshold: 3},
			}},
			Namespace: "default", Streams: 3, MaxBody: 4 << 20, MaxHeader: 4 << 10, Version: nodecmd.DaprVersion,
		}
		change(&cfg)
		return cfg
	}
	for _, c := range []struct {
		args, env string
		want      func(*sidecar.Config)
	}{
		{"", "", func(*sidecar.Config) {}},
		{"--app-port 6000", "", func(c *sidecar.Config) { c.Apps[0].Address = "127.0.0.1:6000" }},
		{"--app-port 0", "", func(*sidecar.Config) {}},
		{"--app-port=", "", func(*sidecar.Config) {}},
		{"--app-port 6 --app-channel-address [::1]", "", func(c *sidecar.Config) { c.Apps[0].Address = "[::1]:6" }},
		{"--app-port 6 --app-channel-address=", "", func(c *sidecar.Config) { c.Apps[0].Address = "127.0.0.1:6" }},
		{"--app-protocol GRPC", "", func(c *sidecar.Config) { c.Apps[0].Protocol = "grpc" }},
		{"--app-protocol=", "", func(*sidecar.Config) {}},
		{"--app-ssl", "", func(c *sidecar.Config) { c.Apps[0].Protocol = "https" }},
		{"--app-ssl --app-protocol grpc", "", func(c *sidecar.Config) { c.Apps[0].Protocol = "grpcs" }},
		{"--app-ssl --app-protocol h2c", "", func(c *sidecar.Config) { c.Apps[0].Protocol = "h2c" }},
		{"--app-max-concurrency 7", "", func(c *sidecar.Config) { c.Apps[0].MaxConcurrency = 7 }},
		{
			"--enable-app-health-check --app-health-check-path /ok --app-health-probe-interval 2 --app-health-probe-timeout 2000 --app-health-threshold 1", "",
			func(c *sidecar.Config) {
				c.Apps[0].Health = sidecar.HealthCheck{Enabled: true, Path: "/ok", Interval: 2 * time.Second, Timeout: 2 * time.Second, Threshold: 1}
			},
		},
		{"--scheduler-job-streams 1", "", func(c *sidecar.Config) { c.Streams = 1 }},
		{"--max-body-size 16Mi --read-buffer-size 8k", "", func(c *sidecar.Config) { c.MaxBody, c.MaxHeader = 16<<20, 8000 }},
		{"--enable-api-logging", "", func(c *sidecar.Config) { c.LogCalls = true }},
		{"--dapr-block-shutdown-duration 1m", "", func(c *sidecar.Config) { c.BlockShutdown = time.Minute }},
		{"", "NAMESPACE=x", func(c *sidecar.Config) { c.Namespace, c.MetricsNamespace = "x", "x" }},
		{"", "NAMESPACE=", func(c *sidecar.Config) { c.Namespace = "" }},
		{"", "DAPR_API_TOKEN=x", func(c *sidecar.Config) { c.APIToken = "x" }},
		{"", "APP_API_TOKEN=x", func(c *sidecar.Config) { c.AppToken = "x" }},
		{"", "DAPR_HTTP_DISABLE_H2C=yes", func(c *sidecar.Config) { c.NoHTTP2 = true }},
		{"", "DAPR_HTTP_DISABLE_H2C=no", func(*sidecar.Config) {}},
		{"--app-port 7", "CARILLON_APP_PORT=8", func(c *sidecar.Config) { c.Apps[0].Address = "127.0.0.1:7" }},
		{"", "CARILLON_APP_PORT=8", func(c *sidecar.Config) { c.Apps[0].Address = "127.0.0.1:8" }},
		{"", "CARILLON_VERSION=2.0", func(*sidecar.Config) {}},
		{"", "DAPR_SCHEDULER_HOST_ADDRESS_DNS_A=a:1,b:2", func(c *sidecar.Config) { c.Schedulers = []string{"a:1", "b:2"} }},
		{"--scheduler-host-address c:3", "DAPR_SCHEDULER_HOST_ADDRESS_DNS_A=a:1", func(c *sidecar.Config) { c.Schedulers = []string{"c:3"} }},
		{"--scheduler-host-address=", "DAPR_SCHEDULER_HOST_ADDRESS_DNS_A=a:1", func(*sidecar.Config) {}},
		{`--scheduler-host-address a:1,"b:2" -scheduler-host-address=c:3`, "", func(c *sidecar.Config) { c.Schedulers = []string{"a:1", "b:2", "c:3"} }},
	} {
		fs, flags := sidecarFlags()
		std, _, _ := terminaltest.Streams()
		name, value, _ := strings.Cut(c.env, "=")
		std.Env = func(n string) (string, bool) {
			if n != name {
				return "", false
			}
			return value, true
		}
		if err := roleflag.Parse(fs, usage, append([]string{"--app-id", "a"}, strings.Fields(c.args)...), std); err != nil {
			t.Errorf("%s %s: %v", c.env, c.args, err)
			continue
		}
		got, err := flags.node(std)
		if err != nil {
			t.Errorf("%s %s: %v", c.env, c.args, err)
		}
		if diff := cmp.Diff(base(c.want), got.Sidecar); diff != "" {
			t.Errorf("%s %s: want (-), got (+):\n%s", c.env, c.args, diff)
		}
	}
}

// TestEmptySchedulerAddressMeansNone covers the spellings in sidecar specification §4.1.
func TestEmptySchedulerAddressMeansNone(t *testing.T) {
	for _, value := range []string{"", " ", "       ", "''", "'      '", `""`, `"   "`} {
		fs, c := sidecarFlags()
		std, _, _ := terminaltest.Streams()
		if err := roleflag.Parse(fs, usage, []string{"--scheduler-host-address=" + value}, std); err != nil {
			t.Errorf("%q: %v", value, err)
		} else if got, err := c.schedulerAddresses(std); err != nil || len(got) > 0 {
			t.Errorf("%q names %q, %v", value, got, err)
		}
	}
}
