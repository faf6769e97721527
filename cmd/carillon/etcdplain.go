package main

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
)

// checkPlaintext refuses that other hosts reach this scheduler's etcd in plaintext, or are reached so, where TLS is on for
// the Scheduler port or was given for etcd: what it protects would be open beside it.
func (c *etcdConfig) checkPlaintext(secured bool) error {
	if !c.embed || !c.several() || c.allowPlaintext || !secured && c.certFile == "" {
		return nil
	}
	members, err := c.members()
	if err != nil {
		return err
	}
	const consequence = "anyone on the network could read, change and delete every job and stop the cluster, although TLS is on"
	for _, id := range slices.Sorted(maps.Keys(members)) {
		if u := members[id]; u.Scheme == "http" && !onLoopback(u.Host) {
			return fmt.Errorf("--etcd-initial-cluster %s=%s: the members of etcd would speak plaintext on port %s, and %s: "+
				"use https, with the certificate of the Scheduler port or --etcd-tls-cert-file; where the network is secured otherwise, give --etcd-allow-plaintext",
				id, u, u.Port(), consequence)
		}
	}
	if !onLoopback(c.clientEndpoint()) {
		return fmt.Errorf("--etcd-client-listen-address=%s: etcd would serve its clients in plaintext on port %d, and %s: "+
			"use localhost; where the network is secured otherwise, give --etcd-allow-plaintext", c.clientAddress, c.clientPort, consequence)
	}
	return nil
}

// needsCertificate reports whether the member of that id has to show a certificate, and none was given for it.
func (c *etcdConfig) needsCertificate(id string) bool {
	members, err := c.members()
	return err == nil && c.embed && c.several() && c.certFile == "" && members[id] != nil && members[id].Scheme == "https"
}

// clientEndpoint returns where this scheduler's etcd listens for its clients.
func (c *etcdConfig) clientEndpoint() string {
	return net.JoinHostPort(bare(c.clientAddress), strconv.Itoa(c.clientPort))
}

// ways returns what clients of this scheduler's etcd ports can do there without TLS.
func (c *etcdConfig) ways(id string) []way {
	if !c.embed || !c.several() {
		return nil
	}
	const leads = "every job of every app, to read, change and delete, past all checks, and the cluster, to stop"
	all := []way{{c.clientEndpoint(), "etcd for its clients: " + leads + "; use --etcd-client-listen-address localhost"}}
	if members, err := c.members(); err == nil && members[id] != nil {
		if u := members[id]; u.Scheme == "http" {
			address, _ := strings.CutPrefix(listenFor(u), "http://")
			all = append(all, way{address, "etcd for its other members: " + leads + "; use https in --etcd-initial-cluster"})
		}
	}
	return all
}

// warnOfExternal warns of an external etcd on another host that is spoken to without TLS.
func (c *etcdConfig) warnOfExternal(ctx context.Context, log *slog.Logger) {
	var open []string
	for _, endpoint := range c.endpoints {
		scheme, address, given := strings.Cut(endpoint, "://")
		if !given {
			scheme, address = "", endpoint
		}
		if (scheme == "http" || scheme == "" && c.certFile == "") && !onLoopback(address) {
			open = append(open, endpoint)
		}
	}
	if len(open) > 0 {
		log.LogAttrs(ctx, slog.LevelWarn, "the connection to etcd on other hosts is plaintext: anyone on the network can read and change every job, and learn the password",
			slog.String("endpoints", strings.Join(open, ",")), slog.String("instead", "https in --etcd-client-endpoints, with --etcd-tls-cert-file"))
	}
}
