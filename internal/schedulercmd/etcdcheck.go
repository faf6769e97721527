package schedulercmd

import (
	"errors"
	"fmt"
	"time"
)

// check refuses what Dapr's scheduler refuses, in its words, and invalid combinations. secured says whether
// the Scheduler port has TLS.
func (c *etcdOptions) check(id string, secured bool) error {
	switch {
	case c.embed && len(c.endpoints) > 0:
		return errors.New("cannot use --etcd-client-endpoints with --etcd-embed: give --etcd-embed=false as well")
	case c.embed && c.username != "":
		return errors.New("cannot use --etcd-client-username with --etcd-embed: give --etcd-embed=false as well")
	case c.embed && c.password != "":
		return errors.New("cannot use --etcd-client-password with --etcd-embed: give --etcd-embed=false as well")
	case !c.embed && len(c.endpoints) == 0:
		return errors.New("must specify --etcd-client-endpoints when not using embedded etcd")
	}
	members, err := c.members()
	switch {
	case err != nil:
		return err
	case members[id] == nil:
		return fmt.Errorf("scheduler ID: %s is not found in initial cluster: name it in --etcd-initial-cluster, or correct --id", id)
	case (c.certFile == "") != (c.keyFile == "") || (c.certFile == "") != (c.authorityFile == ""):
		return errors.New("--etcd-tls-cert-file, --etcd-tls-key-file and --etcd-tls-ca-file belong together: give all of them")
	case c.needsCertificate(id) && !secured:
		return errors.New("--etcd-initial-cluster has https addresses, which need a certificate: enable TLS on the Scheduler port, whose certificate etcd then uses, or give --etcd-tls-cert-file, --etcd-tls-key-file and --etcd-tls-ca-file; or use http in a trusted network")
	case c.maxTxnOps < 16:
		return fmt.Errorf("--etcd-max-txn-ops %d is too small: give at least 16", c.maxTxnOps)
	case c.lease != 0 && c.lease < time.Second:
		return fmt.Errorf("--lease-duration %v is too short: give at least 1s", c.lease)
	}
	return c.checkPlaintext(secured)
}
