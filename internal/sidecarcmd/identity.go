package sidecarcmd

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"

	"carillon/internal/app"
	"carillon/internal/identity"
	"carillon/internal/nodecmd"
	"carillon/internal/terminal"
)

// secure configures mTLS with schedulers in cfg, if the flags enable it.
func (c *sidecarOptions) secure(cfg *app.SidecarConfig, std *terminal.Streams, log *slog.Logger) error {
	who, err := c.identity(cfg.Sidecar.Namespace, std, log)
	if err != nil || who == nil {
		return err
	}
	domain, namespace := c.controlPlane(std)
	scheduler, err := identity.ID(domain, namespace, nodecmd.SchedulerApp)
	if err != nil {
		return fmt.Errorf("--control-plane-trust-domain and --control-plane-namespace: %w", err)
	}
	cfg.Identity, cfg.Sidecar.Credentials = who, who.Client(scheduler)
	return nil
}

// identity returns the identity of this sidecar in the namespace of its app, or nil in plaintext.
func (c *sidecarOptions) identity(namespace string, std *terminal.Streams, log *slog.Logger) (*identity.Source, error) {
	switch {
	case c.files.Given():
		return c.files.Open(log)
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
		Namespace: namespace, App: c.appID, Alias: alias, Domain: "public", Token: nodecmd.SentryToken(c.mode, std),
	}, log)
}

// controlPlane returns the trust domain and the namespace of Dapr's control plane and its schedulers.
func (c *sidecarOptions) controlPlane(std *terminal.Streams) (domain, namespace string) {
	domain, _ = std.Env("DAPR_CONTROLPLANE_TRUST_DOMAIN")
	namespace, _ = std.Env("DAPR_CONTROLPLANE_NAMESPACE")
	return cmp.Or(c.controlDomain, domain, "localhost"), cmp.Or(c.controlNamespace, namespace, "default")
}
