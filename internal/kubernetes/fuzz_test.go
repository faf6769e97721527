package kubernetes

import (
	"net/url"
	"strings"
	"testing"
)

// FuzzKubeconfig holds that no file makes the parser panic, and that what is accepted is over HTTPS, has
// something to show and runs nothing.
func FuzzKubeconfig(f *testing.F) {
	const head = "current-context: x\ncontexts: [{name: x, context: {cluster: y, user: z}}]\n"
	for _, text := range []string{
		"", "{", "current-context: x", head,
		head + `clusters: [{name: y, cluster: {server: "https://a:1/b"}}]` + "\nusers: [{name: z, user: {token: t}}]",
		head + `clusters: [{name: y, cluster: {server: "https://[::1]", tls-server-name: a, proxy-url: "http://p"}}]` + "\nusers: [{name: z, user: {tokenFile: t}}]",
		head + `clusters: [{name: y, cluster: {server: "http://a"}}]` + "\nusers: [{name: z, user: {exec: {command: c}}}]",
		head + "clusters:\n- name: y\n  cluster: &c {server: https://a}\nusers:\n- name: z\n  user: {client-certificate: c, client-key-data: aw==, <<: *c}",
		`{"current-context": 1, "contexts": [{"name": "1"}]}`,
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, u, err := parseKubeconfig([]byte(text))
		if err != nil {
			return
		}
		server, err := url.Parse(c.Server)
		if err != nil || !strings.HasPrefix(strings.ToLower(c.Server), "https://") || server.Host == "" || c.Insecure {
			t.Errorf("it is over %q, insecure %v", c.Server, c.Insecure)
		}
		if u.Exec != nil || u.Token == "" && u.TokenFile == "" && u.CertFile == "" && len(u.Cert) == 0 {
			t.Errorf("the user is %+v", u)
		}
	})
}
