package schedulercmd

import (
	"log/slog"
	"strings"
	"testing"

	"carillon/internal/nodecmd"
	"carillon/internal/roleflag"
	"carillon/internal/terminal/terminaltest"
)

// schedulerOf returns the configuration in the flags of a scheduler.
func schedulerOf(t *testing.T, args string) *schedulerOptions {
	t.Helper()
	std, _, _ := terminaltest.Streams()
	fs, c := schedulerFlags()
	if err := roleflag.Parse(fs, usage, strings.Fields(args), std); err != nil {
		t.Fatal(err)
	}
	return c
}

const (
	theirs    = "--id a --etcd-initial-cluster a=http://10.0.0.1:2380,b=http://10.0.0.2:2381 "
	names     = "--id a --etcd-initial-cluster a=http://a.sched:2380,b=http://b.sched:2380 "
	mixed     = "--id a --etcd-initial-cluster a=https://10.0.0.1:2380,b=http://10.0.0.2:2381 "
	secure    = "--id a --etcd-initial-cluster a=https://10.0.0.1:2380,b=https://10.0.0.2:2380 "
	loopback  = "--id a --etcd-initial-cluster a=http://localhost:2380,b=http://127.0.0.2:2380,c=http://[::1]:2380 "
	files     = "--tls-cert-file c --tls-key-file k --tls-ca-file ca "
	etcdFiles = "--etcd-tls-cert-file c --etcd-tls-key-file k --etcd-tls-ca-file ca "
	chart     = "--listen-address=0.0.0.0 --id dapr-scheduler-server-0 --etcd-embed=true --etcd-client-port 2379 --tls-enabled --trust-domain=cluster.local --trust-anchors-file=/var/run/secrets/dapr.io/tls/ca.crt --sentry-address=dapr-sentry:443 --mode=kubernetes --workers=2048 "
)

// chartMembers returns the members in Dapr's Helm chart (scheduler specification §7.8).
func chartMembers(scheme string) string {
	const host = ".dapr-scheduler-server.dapr-system.svc.cluster.local:2380"
	var all []string
	for _, n := range []string{"0", "1", "2"} {
		id := "dapr-scheduler-server-" + n
		all = append(all, id+"="+scheme+"://"+id+host)
	}
	return "--etcd-initial-cluster " + strings.Join(all, ",")
}

func TestPlaintextEtcdBesideTLSIsRefused(t *testing.T) {
	const peers, clients = "the etcd members would use plaintext on port ", "etcd would serve its clients in plaintext on port 2379"
	for args, want := range map[string]string{
		theirs + files:               "a=http://10.0.0.1:2380: " + peers + "2380",
		theirs + "--tls-enabled":     peers + "2380",
		theirs + "--mode=kubernetes": peers + "2380",
		theirs + etcdFiles:           peers + "2380",
		names + files:                "a=http://a.sched:2380: " + peers + "2380",
		mixed + files:                "b=http://10.0.0.2:2381: " + peers + "2381",
		chart + chartMembers("http"): peers + "2380",
		secure + files + "--etcd-client-listen-address=":          clients,
		secure + files + "--etcd-client-listen-address=::":        clients,
		secure + files + "--etcd-client-listen-address 0.0.0.0":   clients,
		secure + etcdFiles + "--etcd-client-listen-address x":     clients,
		loopback + files + "--etcd-client-listen-address 1.2.3.4": clients,
		secure: "enable TLS on the Scheduler port, whose certificate etcd then uses",

		theirs + files + "--etcd-allow-plaintext":                                      "",
		secure + files + "--etcd-client-listen-address 0.0.0.0 --etcd-allow-plaintext": "",
		chart + chartMembers("https"):                                                  "", // as the chart is
		secure + files:                                                                 "",
		secure + etcdFiles:                                                             "",
		secure + files + "--etcd-client-listen-address 127.0.0.2":                      "",
		loopback + files:                                                               "",
		// A warning, as for the Scheduler port.
		theirs: "",
		theirs + "--etcd-client-listen-address 0.0.0.0": "",
		// A single node has no etcd.
		"--id a --etcd-initial-cluster a=http://10.0.0.1:2380 --etcd-client-listen-address 0.0.0.0 " + files: "",
		// A warning.
		"--id dapr-scheduler-server-0 --etcd-embed=false --etcd-client-endpoints http://10.0.0.9:2379 " + files: "",
	} {
		err := schedulerOf(t, args).check()
		switch {
		case want == "" && err != nil:
			t.Errorf("%s: %v", args, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: %v, want %q", args, err, want)
		case want != "" && args != secure:
			for _, part := range []string{"could read, change and delete every job and stop the cluster", "--etcd-allow-plaintext"} {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%s: %v, want the consequence and the way out, %q", args, err, part)
				}
			}
		}
	}
}

func TestPlaintextEtcdIsLogged(t *testing.T) {
	const members, clients = "other members of etcd can read, change and delete every job", "clients of etcd can read, change and delete every job"
	for args, want := range map[string][]string{
		theirs: {"10.0.0.1:2380: " + members},
		names:  {"0.0.0.0:2380: " + members},
		theirs + files + "--etcd-allow-plaintext":                       {"10.0.0.1:2380: " + members},
		secure + "--etcd-client-listen-address 0.0.0.0":                 {"0.0.0.0:2379: " + clients},
		theirs + "--etcd-client-listen-address :: --etcd-client-port 7": {"[::]:7: " + clients, "10.0.0.1:2380: " + members},
		loopback: nil,
		secure:   nil,
		"--id a --etcd-initial-cluster a=http://10.0.0.1:2380":                                nil,
		"--etcd-embed=false --etcd-client-endpoints http://10.0.0.9:2379":                     {"connections to etcd on other hosts are plaintext", "http://10.0.0.9:2379"},
		"--etcd-embed=false --etcd-client-endpoints etcd:2379":                                {"connections to etcd on other hosts are plaintext", "endpoints=etcd:2379"},
		"--etcd-embed=false --etcd-client-endpoints http://etcd:2379 " + etcdFiles:            {"connections to etcd on other hosts are plaintext"},
		"--etcd-embed=false --etcd-client-endpoints https://etcd:2379,etcd:2379 " + etcdFiles: nil,
		"--etcd-embed=false --etcd-client-endpoints http://localhost:2379,[::1]:2379":         nil,
	} {
		c := schedulerOf(t, args)
		var text strings.Builder
		log := slog.New(slog.NewTextHandler(&text, nil))
		nodecmd.WarnExposed(t.Context(), log, c.etcd.plaintextEndpoints(c.id), nil)
		c.etcd.warnOfExternal(t.Context(), log)
		for _, w := range want {
			if !strings.Contains(text.String(), "level=WARN") || !strings.Contains(text.String(), w) {
				t.Errorf("%s: %q, want a warning with %q", args, &text, w)
			}
		}
		if want == nil && text.Len() > 0 {
			t.Errorf("%s: %s", args, &text)
		}
	}
}
