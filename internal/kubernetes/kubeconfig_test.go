package kubernetes_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"carillon/internal/identity/identitytest"
	"carillon/internal/kubernetes"
	"carillon/internal/logtest"
)

// patience is the timeout of each wait. It is long, because the machine may be busy.
const patience = time.Minute

const secret = "sup3rs3cr3t"

// kubeconfig is the part of a kubeconfig file that is used. It includes fields that are refused,
// for better errors than for unknown fields.
func kubeconfig(t *testing.T, dir, cluster, user string) (name string) {
	t.Helper()
	name = filepath.Join(dir, "config")
	write(t, name, `apiVersion: v1
kind: Config
preferences: {}
current-context: here
contexts:
- {name: elsewhere, context: {cluster: b, user: b}}
- name: here
  context: {cluster: a, user: a, namespace: default}
clusters:
- {name: b, cluster: {server: "http://192.0.2.1", insecure-skip-tls-verify: true}}
- name: a
  cluster: {`+cluster+`}
users:
- {name: b, user: {exec: {command: rm}}}
- name: a
  user: {`+user+`}
`)
	return name
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// anchor returns the certificate of s in PEM.
func (s *apiServer) anchor() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))
}

func inBase64(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

// run runs a watcher until the test ends. It returns the reported namespaces, and the log.
func run(t *testing.T, cfg kubernetes.Config) (g *told, log *page) {
	t.Helper()
	if err := cfg.Check(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // when the watcher has ended
		if strings.Contains(g.log.String(), secret) {
			t.Error("the token is in the log")
		}
	})
	g = watch(t, cfg)
	return g, &g.log
}

func TestKubeconfigSetsServerAndCredentials(t *testing.T) {
	t.Parallel()
	const server = `server: "SERVER", `
	for name, tt := range map[string]struct{ cluster, user string }{
		"all within it":              {server + "certificate-authority-data: CA", "token: " + secret},
		"files beside it":            {server + "certificate-authority: ca.crt", "tokenFile: token"},
		"files by their whole names": {server + "certificate-authority: DIR/ca.crt", "tokenFile: DIR/token, token: old"},
		"data before files":          {server + "certificate-authority-data: CA, certificate-authority: none", "token: " + secret},
		"a name to expect":           {server + "certificate-authority-data: CA, tls-server-name: example.com", "token: " + secret},
		"a slash at the end":         {`server: "SERVER/", certificate-authority: ca.crt`, "token: " + secret},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newAPIServer(t, "a", "b")
			s.token = secret
			dir := t.TempDir()
			write(t, filepath.Join(dir, "ca.crt"), s.anchor())
			write(t, filepath.Join(dir, "token"), secret+"\n")
			fill := strings.NewReplacer("SERVER", s.URL, "DIR", dir, "CA", inBase64(s.anchor()))
			g, _ := run(t, kubernetes.Config{Kubeconfig: kubeconfig(t, dir, fill.Replace(tt.cluster), fill.Replace(tt.user))})
			s.listed(1)
			s.change("DELETED", "a")
			g.want("a")
		})
	}
}

func TestKubeconfigClientCertificate(t *testing.T) {
	t.Parallel()
	ca := identitytest.NewAuthority(t)
	cert, key := ca.Issue(t, "spiffe://localhost/ns/default/scheduler", time.Hour)
	clients := x509.NewCertPool()
	clients.AppendCertsFromPEM(ca.PEM())
	shown := make(chan bool, 100)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		shown <- len(r.TLS.PeerCertificates) == 1 && r.Header.Get("Authorization") == ""
		http.Error(w, "enough", http.StatusTeapot)
	}))
	s.TLS = &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: clients}
	s.StartTLS()
	defer s.Close()
	for name, user := range map[string]string{
		"in files":  "client-certificate: cert.pem, client-key: key.pem",
		"within it": "client-certificate-data: " + inBase64(string(cert)) + ", client-key-data: " + inBase64(string(key)),
	} {
		dir := t.TempDir()
		write(t, filepath.Join(dir, "cert.pem"), string(cert))
		write(t, filepath.Join(dir, "key.pem"), string(key))
		anchor := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))
		run(t, kubernetes.Config{Kubeconfig: kubeconfig(t, dir, `server: "`+s.URL+`", certificate-authority-data: `+inBase64(anchor), user)})
		select {
		case ok := <-shown:
			if !ok {
				t.Errorf("%s: the certificate is not shown alone", name)
			}
		case <-time.After(patience):
			t.Errorf("%s: no request", name)
		}
	}
}

// proxy starts an HTTP proxy for CONNECT requests, and counts them.
func proxy(t *testing.T) (url string, used *atomic.Int64) {
	t.Helper()
	used = new(atomic.Int64)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		used.Add(1)
		there, err := new(net.Dialer).DialContext(r.Context(), "tcp", r.Host)
		if err != nil || r.Method != http.MethodConnect || r.Header.Get("Authorization") != "" {
			http.Error(w, "no", http.StatusBadGateway)
			return
		}
		defer there.Close()
		w.WriteHeader(http.StatusOK)
		here, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer here.Close()
		go func() {
			_, _ = io.Copy(there, here)
			there.Close()
		}()
		_, _ = io.Copy(here, there)
	}))
	t.Cleanup(s.Close)
	return s.URL, used
}

func TestKubeconfigProxy(t *testing.T) {
	t.Parallel()
	s := newAPIServer(t, "a", "b")
	s.token = secret
	proxy, used := proxy(t)
	g, _ := run(t, kubernetes.Config{Kubeconfig: kubeconfig(t, t.TempDir(),
		`server: "`+s.URL+`", certificate-authority-data: `+inBase64(s.anchor())+`, proxy-url: "`+proxy+`"`, "token: "+secret)})
	s.listed(1)
	s.change("DELETED", "a")
	g.want("a")
	if used.Load() == 0 {
		t.Error("nothing came through the proxy")
	}
}

func TestTokenIsNotSentToAnotherServer(t *testing.T) {
	t.Parallel()
	other := newAPIServer(t, "a")
	s := httptest.NewTLSServer(http.RedirectHandler(other.URL+"/api/v1/namespaces", http.StatusFound))
	defer s.Close()
	anchor := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))
	_, log := run(t, kubernetes.Config{Kubeconfig: kubeconfig(t, t.TempDir(),
		`server: "`+s.URL+`", certificate-authority-data: `+inBase64(anchor+other.anchor()), "token: "+secret)})
	log.want(t, "the API server answers 302", func() {})
	other.mu.Lock()
	defer other.mu.Unlock()
	if other.lists > 0 {
		t.Error("the redirect was followed")
	}
}

// In another cluster all namespaces of the first are missing, so their jobs would be deleted.
func TestKubeconfigOfAnotherClusterDeletesNoJobs(t *testing.T) {
	t.Parallel()
	s, other := newAPIServer(t, "a", "b"), newAPIServer(t, "c")
	s.token, other.token = secret, secret
	dir := t.TempDir()
	cluster := func(s *apiServer) string {
		return `server: "` + s.URL + `", certificate-authority-data: ` + inBase64(s.anchor())
	}
	g, log := run(t, kubernetes.Config{Kubeconfig: kubeconfig(t, dir, cluster(s), "token: "+secret)})
	s.listed(1)
	kubeconfig(t, dir, cluster(other), "token: "+secret)
	log.want(t, "names another API server than before", s.end) // more than once, as the watch may not have begun
	g.want()
	kubeconfig(t, dir, cluster(s), "token: "+secret)
	s.change("DELETED", "a")
	g.want("a")
}

func TestInvalidKubeconfigIsRefusedWithoutSecrets(t *testing.T) {
	t.Parallel()
	const cluster, user = `server: "https://127.0.0.1:1"`, "token: " + secret
	for _, tt := range []struct{ cluster, user, want string }{
		{`server: "http://127.0.0.1:1"`, user, `cluster "a": server must be a URL that begins with https://`},
		{`server: "127.0.0.1:1"`, user, "must be a URL that begins with https://"},
		{`server: "https://"`, user, "must be a URL that begins with https://"},
		{"", user, "must be a URL that begins with https://"},
		{`server: "https://u:` + secret + `@127.0.0.1"`, user, "server must have only https://, a host, a port and a path"},
		{cluster + ", insecure-skip-tls-verify: true", user, "insecure-skip-tls-verify is not supported, because an attacker"},
		{cluster + ", certificate-authority: none.crt", user, "certificate-authority: open DIR/none.crt: no such file"},
		{cluster + ", certificate-authority: config", user, "DIR/config has no CA certificate of the API server"},
		{cluster + ", certificate-authority-data: " + inBase64("x"), user, "certificate-authority-data has no CA certificate"},
		{cluster + ", certificate-authority-data: " + secret, user, "it is YAML, but not a kubeconfig"},
		{cluster + `, proxy-url: "ftp://x"`, user, "proxy-url must be a URL"},
		{cluster + `, proxy-url: ":` + secret + `"`, user, "proxy-url must be a URL"},
		{cluster, "exec: {apiVersion: v1, command: aws}", `user "a": exec is not supported, because a scheduler runs no programs`},
		{cluster, user + ", exec: {command: aws}", "exec is not supported"},
		{cluster, "auth-provider: {name: gcp}", "auth-provider is not supported"},
		{cluster, "username: x, password: " + secret, "username and password are not supported"},
		{cluster, user + ", as: admin", "impersonation (as, as-uid"},
		{cluster, user + ", as-groups: [admin]", "impersonation (as, as-uid"},
		{cluster, "", "it has no credentials: set token"},
		{cluster, "token: [" + secret + "]", "it is YAML, but not a kubeconfig"},
		{cluster, "token: *" + secret, "it is YAML, but not a kubeconfig"},
		{cluster, "? {" + secret + ": 1} : 2", "it is YAML, but not a kubeconfig"},
		{cluster, `token: "` + secret, "it is not valid YAML at line "},
		{cluster, "tokenFile: none", "tokenFile: open DIR/none: no such file"},
		{cluster, "tokenFile: empty", "tokenFile: DIR/empty is empty"},
		{cluster, "tokenFile: large", "tokenFile: DIR/large is larger than 1048576 bytes"},
		{cluster, "client-certificate: none", "client-certificate and client-key are only valid together"},
		{cluster, "client-key-data: " + inBase64(secret), "client-certificate and client-key are only valid together"},
		{cluster, "client-certificate: none, client-key: none", "client-certificate: open DIR/none: no such file"},
		{cluster, "client-certificate: config, client-key-data: " + inBase64(secret), "client-certificate and client-key do not match or are not PEM: tls: "},
	} {
		dir := t.TempDir()
		write(t, filepath.Join(dir, "empty"), "\n")
		write(t, filepath.Join(dir, "large"), strings.Repeat("x", 1<<20+1))
		cfg := kubernetes.Config{Kubeconfig: kubeconfig(t, dir, tt.cluster, tt.user)}
		refused(t, cfg, tt.user, strings.ReplaceAll(tt.want, "DIR", dir))
	}
	for text, want := range map[string]string{
		"":                       "current-context is missing: set it",
		"{}":                     "current-context is missing",
		secret:                   "it is YAML, but not a kubeconfig",
		"current-context: x":     `current-context is "x", but contexts has no context`,
		"clusters: x":            "it is YAML, but not a kubeconfig",
		"\x00":                   "it is YAML, but not a kubeconfig",
		strings.Repeat("[", 1e5): "it is YAML, but not a kubeconfig",
		"{current-context: x, contexts: [{name: x}]}":                                                       `context "x" has the cluster "", but clusters has no cluster`,
		"{current-context: x, contexts: [{name: x, context: {cluster: y}}], clusters: [{name: y}]}":         `has the user "", but users has no user`,
		"current-context: x\n" + "a: &a [x,x]\nb: &b [*a,*a]\n" + "c: [*b,*b]\n" + strings.Repeat(" ", 1e6): "it",
	} {
		name := filepath.Join(t.TempDir(), "config")
		write(t, name, text)
		refused(t, kubernetes.Config{Kubeconfig: name}, text, want)
	}
	refused(t, kubernetes.Config{Kubeconfig: filepath.Join(t.TempDir(), "none")}, "no file", "no such file")
	refused(t, kubernetes.Config{Kubeconfig: t.TempDir()}, "a folder", "is a directory")
}

func refused(t *testing.T, cfg kubernetes.Config, what, want string) {
	t.Helper()
	err := cfg.Check()
	if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), secret) {
		t.Errorf("%.200q: %v, want %q and no secret", what, err, want)
	}
}

// page is the log of a watcher.
type page struct{ logtest.Page }

// want waits until the log contains text, and calls do repeatedly meanwhile.
func (p *page) want(t *testing.T, text string, do func()) {
	t.Helper()
	for deadline := time.Now().Add(patience); !strings.Contains(p.String(), text); time.Sleep(time.Millisecond) {
		do()
		if time.Now().After(deadline) {
			t.Fatalf("the log says %q, want %q", p, text)
		}
	}
}
