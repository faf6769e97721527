package schedulercmd

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"carillon/internal/nodecmd"
)

// checkPlaintext refuses plaintext connections between this scheduler's etcd and other hosts if TLS is on
// for the Scheduler port or for etcd: they would expose what TLS protects.
func (c *etcdOptions) checkPlaintext(secured bool) error {
	if !c.embed || !c.clustered() || c.allowPlaintext || !secured && c.certFile == "" {
		return nil
	}
	members, err := c.members()
	if err != nil {
		return err
	}
	const consequence = "anyone on the network could read, change and delete every job and stop the cluster, although TLS is on"
	for _, id := range slices.Sorted(maps.Keys(members)) {
		if u := members[id]; u.Scheme == "http" && !nodecmd.OnLoopback(u.Host) {
			return fmt.Errorf("--etcd-initial-cluster %s=%s: the etcd members would use plaintext on port %s, and %s: "+
				"use https, with the certificate of the Scheduler port or --etcd-tls-cert-file; in a trusted network, give --etcd-allow-plaintext",
				id, u, u.Port(), consequence)
		}
	}
	if !nodecmd.OnLoopback(c.clientEndpoint()) {
		return fmt.Errorf("--etcd-client-listen-address=%s: etcd would serve its clients in plaintext on port %d, and %s: "+
			"use localhost; in a trusted network, give --etcd-allow-plaintext", c.clientAddress, c.clientPort, consequence)
	}
	return nil
}

// needsCertificate reports whether the member of that id needs a certificate that no flag of etcd gives.
func (c *etcdOptions) needsCertificate(id string) bool {
	members, err := c.members()
	return err == nil && c.embed && c.clustered() && c.certFile == "" && members[id] != nil && members[id].Scheme == "https"
}

// plaintextEndpoints returns the plaintext ports of this scheduler's etcd.
func (c *etcdOptions) plaintextEndpoints(id string) []nodecmd.PlaintextEndpoint {
	if !c.embed || !c.clustered() {
		return nil
	}
	const grants = "read, change and delete every job of every app without any check, and stop the cluster"
	all := []nodecmd.PlaintextEndpoint{{Address: c.clientEndpoint(), Grants: "clients of etcd can " + grants + "; use --etcd-client-listen-address localhost"}}
	if members, err := c.members(); err == nil && members[id] != nil {
		if u := members[id]; u.Scheme == "http" {
			address, _ := strings.CutPrefix(listenFor(u), "http://")
			all = append(all, nodecmd.PlaintextEndpoint{Address: address, Grants: "other members of etcd can " + grants + "; use https in --etcd-initial-cluster"})
		}
	}
	return all
}

// warnOfExternal warns about plaintext connections to an external etcd on other hosts.
func (c *etcdOptions) warnOfExternal(ctx context.Context, log *slog.Logger) {
	var open []string
	for _, endpoint := range c.endpoints {
		scheme, address, given := strings.Cut(endpoint, "://")
		if !given {
			scheme, address = "", endpoint
		}
		if (scheme == "http" || scheme == "" && c.certFile == "") && !nodecmd.OnLoopback(address) {
			open = append(open, endpoint)
		}
	}
	if len(open) > 0 {
		log.LogAttrs(ctx, slog.LevelWarn, "connections to etcd on other hosts are plaintext: anyone on the network can read and change every job, and read the password",
			slog.String("endpoints", strings.Join(open, ",")), slog.String("instead", "https in --etcd-client-endpoints, with --etcd-tls-cert-file"))
	}
}

// listenFor returns the listen address of a member with the advertised URL u: all interfaces if the host of
// u is a name, else that address.
func listenFor(u *url.URL) string {
	host := u.Hostname()
	if _, err := netip.ParseAddr(host); err != nil && host != "localhost" {
		host = "0.0.0.0"
	}
	return u.Scheme + "://" + net.JoinHostPort(host, u.Port())
}
