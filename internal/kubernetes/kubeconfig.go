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
	if err := yaml.Unmarshal(text, &k); err != nil { // which tells of values
		if line := lineOf.FindString(err.Error()); line != "" {
			return c, u, fmt.Errorf("it is no YAML in %s", line)
		}
		return c, u, errors.New("it does not have the form of a kubeconfig: compare it with one that kubectl has written")
	}
	if k.Current == "" {
		return c, u, errors.New("it has no current-context: choose one with kubectl config use-context")
	}
	current, ok := find(k.Contexts, func(n namedContext) bool { return n.Name == k.Current })
	if !ok {
		return c, u, fmt.Errorf("its current-context is %q, which is none of its contexts", k.Current)
	}
	of, ok := find(k.Clusters, func(n namedCluster) bool { return n.Name == current.Context.Cluster })
	if !ok {
		return c, u, fmt.Errorf("its context %q is of the cluster %q, which is none of its clusters", k.Current, current.Context.Cluster)
	}
	by, ok := find(k.Users, func(n namedUser) bool { return n.Name == current.Context.User })
	if !ok {
		return c, u, fmt.Errorf("its context %q is of the user %q, which is none of its users", k.Current, current.Context.User)
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
		return errors.New("its server is no address that begins with https://: what is shown to it is a secret")
	}
	if server.User != nil || server.RawQuery != "" || server.Fragment != "" {
		return errors.New("its server is more than https://, a host, a port and a path")
	}
	if c.Insecure {
		return errors.New("insecure-skip-tls-verify is not supported: whoever stood between could say that namespaces are gone, " +
			"and their jobs would be deleted: give certificate-authority, and tls-server-name if its certificate has another name")
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
	return nil, errors.New("its proxy-url is no address that begins with http://, https:// or socks5://")
}

// check returns why the user cannot be used, or nil.
func (u user) check() error {
	const instead = "give it a token, a tokenFile, or a client-certificate with its client-key"
	switch {
	case u.Exec != nil:
		return errors.New("exec is not supported: it names a program, and a scheduler runs none that a file names: " + instead)
	case u.Provider != nil:
		return errors.New("auth-provider is not supported, nor by Kubernetes any more: " + instead)
	case u.Name != "" || u.Password != "":
		return errors.New("username and password are not supported, nor by Kubernetes any more: " + instead)
	case u.As != "" || u.AsUID != "" || u.AsGroups != nil || u.AsWithMore != nil:
		return errors.New("to act as somebody else is not supported: " + instead + " that may get, list and watch namespaces")
	case (u.CertFile == "" && len(u.Cert) == 0) != (u.KeyFile == "" && len(u.Key) == 0):
		return errors.New("client-certificate and client-key belong together: give both")
	case u.Token == "" && u.TokenFile == "" && u.CertFile == "" && len(u.Cert) == 0:
		return errors.New("it has nothing to show: " + instead)
	}
	return nil
}
