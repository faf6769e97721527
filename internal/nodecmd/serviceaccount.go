package nodecmd

import (
	"carillon/internal/identity"
	"carillon/internal/terminal"
)

// AccountCA is the file with the CA certificates of the Kubernetes API server in a pod.
const AccountCA = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt"

// Files of the tokens that authenticate a pod to Sentry: one for Sentry only, and that of older installations.
const (
	sentryToken  = "/var/run/secrets/dapr.io/sentrytoken/token"
	AccountToken = "/var/run/secrets/kubernetes.io/serviceaccount/token"
)

// SentryToken returns the token that authenticates the process to Sentry (scheduler specification §7.6).
func SentryToken(mode string, std *terminal.Streams) identity.Token {
	if file, _ := std.Env("DAPR_SENTRY_TOKEN_FILE"); file != "" {
		return identity.Token{Files: []string{file}}
	}
	if mode == "kubernetes" {
		return identity.Token{Files: []string{sentryToken, AccountToken}, Kubernetes: true}
	}
	return identity.Token{}
}
