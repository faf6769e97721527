package schedulercmd

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"

	"carillon/internal/identity"
	"carillon/internal/nodecmd"
	"carillon/internal/store/etcdmember"
	"carillon/internal/terminal"
)

// tlsDir is the subdirectory of --etcd-data-dir with the certificate from Sentry for etcd, which reads files.
const tlsDir = "carillon-tls"

// secured reports whether TLS is on for the Scheduler port.
func (c *schedulerOptions) secured() bool { return c.files.Given() || c.tls || c.mode == "kubernetes" }

// identity returns the identity of this scheduler, or nil in plaintext.
func (c *schedulerOptions) identity(std *terminal.Streams, log *slog.Logger) (*identity.Source, error) {
	switch {
	case c.files.Given():
		return c.files.Open(log)
	case !c.secured():
		return nil, nil
	case c.anchors == "":
		return nil, errors.New("trust anchors are required: name their file with --trust-anchors-file, or give --tls-cert-file, --tls-key-file and --tls-ca-file")
	}
	namespace, _ := std.Env("NAMESPACE")
	namespace = cmp.Or(namespace, "default")
	sentry, err := identity.ID(c.trustDomain, namespace, "dapr-sentry")
	if err != nil {
		return nil, fmt.Errorf("--trust-domain, or NAMESPACE: %w", err)
	}
	alias, _ := std.Env("SENTRY_LOCAL_IDENTITY")
	who, err := identity.OpenSentry(identity.Sentry{
		Address: cmp.Or(c.sentry, "dapr-sentry."+namespace+".svc:443"), ID: sentry, AnchorsFile: c.anchors,
		Namespace: namespace, App: nodecmd.SchedulerApp, Alias: alias, Domain: c.trustDomain, Token: nodecmd.SentryToken(c.mode, std),
	}, log)
	if err != nil {
		return nil, fmt.Errorf("--trust-anchors-file: %w", err)
	}
	return who, nil
}

// memberTLS returns the certificate of the Scheduler port for the etcd member; nil if there is none, or the
// member needs none.
func (c *schedulerOptions) memberTLS(who *identity.Source) *etcdmember.TLS {
	switch {
	case who == nil || !c.etcd.needsCertificate(c.id):
		return nil
	case c.files.Given():
		return &etcdmember.TLS{CertFile: c.files.Cert, KeyFile: c.files.Key, CAFile: c.files.CA}
	}
	f := who.CopyTo(filepath.Join(c.dataDir, tlsDir))
	return &etcdmember.TLS{CertFile: f.Cert, KeyFile: f.Key, CAFile: f.CA, Ready: who.WaitCopied}
}
