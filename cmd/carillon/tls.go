package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"path/filepath"

	"carillon/internal/app"
	"carillon/internal/identity"
	"carillon/internal/store/etcdmember"
)

// A tlsFiles is the flags of certificates that are files.
type tlsFiles struct{ identity.Files }

func (f *tlsFiles) flags(fs *flag.FlagSet) {
	fs.StringVar(&f.Cert, "tls-cert-file", "", "`file` of a certificate in PEM with a SPIFFE id, in place of Sentry's; it is followed when it changes")
	fs.StringVar(&f.Key, "tls-key-file", "", "`file` of its private key, in PEM and PKCS #8")
	fs.StringVar(&f.CA, "tls-ca-file", "", "`file` of the certificates, in PEM, that sign those of the others")
}

// given reports whether certificates are files.
func (f *tlsFiles) given() bool { return f.Cert != "" || f.Key != "" }

// open returns the source of what the files hold.
func (f *tlsFiles) open(log *slog.Logger) (*identity.Source, error) {
	if f.Cert == "" || f.Key == "" || f.CA == "" {
		return nil, errors.New("--tls-cert-file, --tls-key-file and --tls-ca-file belong together: give all three")
	}
	who, err := identity.OpenFiles(f.Files, log)
	if err != nil {
		return nil, fmt.Errorf("--tls-cert-file, --tls-key-file and --tls-ca-file: %w", err)
	}
	return who, nil
}

// Where Kubernetes puts the tokens that Sentry knows a pod by: one for Sentry alone, and that of older installations.
const (
	sentryToken  = "/var/run/secrets/dapr.io/sentrytoken/token"
	accountToken = "/var/run/secrets/kubernetes.io/serviceaccount/token"
)

// tokenOf returns the token that a process shows Sentry (scheduler specification §7.6).
func tokenOf(mode string, std stdio) identity.Token {
	if file, _ := std.Env("DAPR_SENTRY_TOKEN_FILE"); file != "" {
		return identity.Token{Files: []string{file}}
	}
	if mode == "kubernetes" {
		return identity.Token{Files: []string{sentryToken, accountToken}, Kubernetes: true}
	}
	return identity.Token{}
}

// tlsFolder is where the certificate from Sentry is, in --etcd-data-dir, for etcd, which reads it from files.
const tlsFolder = "carillon-tls"

// memberTLS returns the certificate of the Scheduler port as etcd takes it, nil if it has none, or needs none.
func (c *schedulerConfig) memberTLS(who *identity.Source) *etcdmember.TLS {
	switch {
	case who == nil || !c.etcd.needsCertificate(c.id):
		return nil
	case c.files.given():
		return &etcdmember.TLS{CertFile: c.files.Cert, KeyFile: c.files.Key, CAFile: c.files.CA}
	}
	f := who.CopyTo(filepath.Join(c.dataDir, tlsFolder))
	return &etcdmember.TLS{CertFile: f.Cert, KeyFile: f.Key, CAFile: f.CA, Ready: who.WaitCopied}
}

// secured reports whether the Scheduler port has TLS.
func (c *schedulerConfig) secured() bool { return c.files.given() || c.tls || c.mode == "kubernetes" }

const schedulerApp = "dapr-scheduler" // the name of Dapr's scheduler, and ours, in a SPIFFE id

// identity returns who this scheduler is, or nil if it speaks plaintext.
func (c *schedulerConfig) identity(std stdio, log *slog.Logger) (*identity.Source, error) {
	switch {
	case c.files.given():
		return c.files.open(log)
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
		Namespace: namespace, App: schedulerApp, Alias: alias, Domain: c.trustDomain, Token: tokenOf(c.mode, std),
	}, log)
	if err != nil {
		return nil, fmt.Errorf("--trust-anchors-file: %w", err)
	}
	return who, nil
}

// secure has the sidecar of cfg speak mTLS with schedulers, if the flags say so.
func (c *sidecarConfig) secure(cfg *app.SidecarConfig, std stdio, log *slog.Logger) error {
	who, err := c.identity(cfg.Sidecar.Namespace, std, log)
	if err != nil || who == nil {
		return err
	}
	domain, namespace := c.controlPlane(std)
	scheduler, err := identity.ID(domain, namespace, schedulerApp)
	if err != nil {
		return fmt.Errorf("--control-plane-trust-domain and --control-plane-namespace: %w", err)
	}
	cfg.Identity, cfg.Sidecar.Credentials = who, who.Client(scheduler)
	return nil
}

// identity returns who this sidecar is, whose app is in this namespace, or nil if it speaks plaintext.
func (c *sidecarConfig) identity(namespace string, std stdio, log *slog.Logger) (*identity.Source, error) {
	switch {
	case c.files.given():
		return c.files.open(log)
	case !c.mtls:
		return nil, nil
	case c.sentry == "":
		return nil, errors.New("--enable-mtls needs --sentry-address, or --tls-cert-file, --tls-key-file and --tls-ca-file")
	}
	domain, controlPlane := c.controlPlane(std)
	sentry, err := identity.ID(domain, controlPlane, "dapr-sentry")
	if err != nil {
		return nil, fmt.Errorf("--control-plane-trust-domain and --control-plane-namespace: %w", err)
	}
	anchors, _ := std.Env("DAPR_TRUST_ANCHORS")
	if anchors == "" && c.files.CA == "" {
		return nil, errors.New("trust anchors are required: set DAPR_TRUST_ANCHORS, or name their file with --tls-ca-file")
	}
	alias, _ := std.Env("SENTRY_LOCAL_IDENTITY")
	return identity.OpenSentry(identity.Sentry{
		Address: c.sentry, ID: sentry, AnchorsFile: c.files.CA, Anchors: []byte(anchors),
		Namespace: namespace, App: c.appID, Alias: alias, Domain: "public", Token: tokenOf(c.mode, std),
	}, log)
}

// controlPlane returns the trust domain and the namespace of Dapr's control plane, to which schedulers belong.
func (c *sidecarConfig) controlPlane(std stdio) (domain, namespace string) {
	domain, _ = std.Env("DAPR_CONTROLPLANE_TRUST_DOMAIN")
	namespace, _ = std.Env("DAPR_CONTROLPLANE_NAMESPACE")
	return cmp.Or(c.controlDomain, domain, "localhost"), cmp.Or(c.controlNamespace, namespace, "default")
}
