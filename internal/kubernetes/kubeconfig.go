package kubernetes

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"

	"sigs.k8s.io/yaml"
)

var lineOf = regexp.MustCompile(`line [0-9]+`)

// kubeconfig is the part of a kubeconfig file that is used. It includes fields that are refused,
// for better errors than for unknown fields.
type kubeconfig struct {
	Current  string         `json:"current-context"`
	Contexts []namedContext `json:"contexts"`
	Clusters []namedCluster `json:"clusters"`
	Users    []namedUser    `json:"users"`
}

type namedContext struct {
	Name    string `json:"name"`
	Context struct {
		Cluster string `json:"cluster"`
		User    string `json:"user"`
	} `json:"context"`
}

type namedCluster struct {
	Name    string      `json:"name"`
	Cluster kubeCluster `json:"cluster"`
}

type namedUser struct {
	Name string `json:"name"`
	User user   `json:"user"`
}

// kubeCluster is the address and the CA certificates of an API server.
type kubeCluster struct {
	Server     string `json:"server"`
	CAFile     string `json:"certificate-authority"`
	CA         []byte `json:"certificate-authority-data"`
	ServerName string `json:"tls-server-name"`
	Proxy      string `json:"proxy-url"`
	Insecure   bool   `json:"insecure-skip-tls-verify"`
}

// user is the credentials of a user.
type user struct {
	Token     string `json:"token"`
	TokenFile string `json:"tokenFile"`
	CertFile  string `json:"client-certificate"`
	Cert      []byte `json:"client-certificate-data"`
	KeyFile   string `json:"client-key"`
	Key       []byte `json:"client-key-data"`

	Exec       any    `json:"exec"`
	Provider   any    `json:"auth-provider"`
	Name       string `json:"username"`
	Password   string `json:"password"`
	As         string `json:"as"`
	AsUID      string `json:"as-uid"`
	AsGroups   any    `json:"as-groups"`
	AsWithMore any    `json:"as-user-extra"`
}

// parseKubeconfig returns the cluster and the user of the current context. Its errors contain no
// secrets.
func parseKubeconfig(text []byte) (c kubeCluster, u user, err error) {
	var k kubeconfig
	if err := yaml.Unmarshal(text, &k); err != nil { // its text contains values
		if line := lineOf.FindString(err.Error()); line != "" {
			return c, u, fmt.Errorf("it is not valid YAML at %s: correct it there", line)
		}
		return c, u, errors.New("it is YAML, but not a kubeconfig: a field has a value of the wrong type; compare it with a file that kubectl config wrote")
	}
	if k.Current == "" {
		return c, u, errors.New("current-context is missing: set it with kubectl config use-context")
	}
	current, ok := find(k.Contexts, func(n namedContext) bool { return n.Name == k.Current })
	if !ok {
		return c, u, fmt.Errorf("current-context is %q, but contexts has no context with that name: set another one with kubectl config use-context", k.Current)
	}
	of, ok := find(k.Clusters, func(n namedCluster) bool { return n.Name == current.Context.Cluster })
	if !ok {
		return c, u, fmt.Errorf("context %q has the cluster %q, but clusters has no cluster with that name: add it with kubectl config set-cluster", k.Current, current.Context.Cluster)
	}
	by, ok := find(k.Users, func(n namedUser) bool { return n.Name == current.Context.User })
	if !ok {
		return c, u, fmt.Errorf("context %q has the user %q, but users has no user with that name: add it with kubectl config set-credentials", k.Current, current.Context.User)
	}
	if err := of.Cluster.check(); err != nil {
		return c, u, fmt.Errorf("cluster %q: %w", of.Name, err)
	}
	if err := by.User.check(); err != nil {
		return c, u, fmt.Errorf("user %q: %w", by.Name, err)
	}
	return of.Cluster, by.User, nil
}

// find returns the first match, as kubectl does.
func find[T any](all []T, is func(T) bool) (found T, ok bool) {
	for _, one := range all {
		if is(one) {
			return one, true
		}
	}
	return found, false
}

// check returns why the cluster cannot be used, or nil.
func (c kubeCluster) check() error {
	server, err := url.Parse(c.Server)
	if err != nil || server.Scheme != "https" || server.Hostname() == "" {
		return errors.New("server must be a URL that begins with https://, because credentials are sent to it")
	}
	if server.User != nil || server.RawQuery != "" || server.Fragment != "" {
		return errors.New("server must have only https://, a host, a port and a path: remove the user, query or fragment from the URL")
	}
	if c.Insecure {
		return errors.New("insecure-skip-tls-verify is not supported, because an attacker could then make the scheduler delete jobs: " +
			"set certificate-authority, and tls-server-name if the certificate has another name")
	}
	if _, err := c.proxy(); err != nil {
		return err
	}
	return nil
}

// proxy returns the URL of the proxy, or nil.
func (c kubeCluster) proxy() (*url.URL, error) {
	if c.Proxy == "" {
		return nil, nil
	}
	proxy, err := url.Parse(c.Proxy)
	if err == nil && proxy.Host != "" && slices.Contains([]string{"http", "https", "socks5"}, proxy.Scheme) {
		return proxy, nil
	}
	return nil, errors.New("proxy-url must be a URL that begins with http://, https:// or socks5://")
}

// check returns why the user cannot be used, or nil.
func (u user) check() error {
	const instead = "set token, tokenFile, or client-certificate with client-key"
	switch {
	case u.Exec != nil:
		return errors.New("exec is not supported, because a scheduler runs no programs from a file: " + instead)
	case u.Provider != nil:
		return errors.New("auth-provider is not supported, and no longer by Kubernetes: " + instead)
	case u.Name != "" || u.Password != "":
		return errors.New("username and password are not supported, and no longer by Kubernetes: " + instead)
	case u.As != "" || u.AsUID != "" || u.AsGroups != nil || u.AsWithMore != nil:
		return errors.New("impersonation (as, as-uid, as-groups, as-user-extra) is not supported: " + instead + " of a user that may get, list and watch namespaces")
	case (u.CertFile == "" && len(u.Cert) == 0) != (u.KeyFile == "" && len(u.Key) == 0):
		return errors.New("client-certificate and client-key are only valid together: set both")
	case u.Token == "" && u.TokenFile == "" && u.CertFile == "" && len(u.Cert) == 0:
		return errors.New("it has no credentials: " + instead)
	}
	return nil
}
