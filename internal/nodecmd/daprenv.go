package nodecmd

import (
	"slices"
	"strings"

	"carillon/internal/sidecar"
	"carillon/internal/terminal"
)

// FromDaprEnvironment returns the configuration in Dapr's environment variables for a sidecar (sidecar
// specification §5.4).
func FromDaprEnvironment(std *terminal.Streams) sidecar.Config {
	side := sidecar.Config{Namespace: "default"}
	if namespace, ok := std.Env("NAMESPACE"); ok {
		side.Namespace, side.MetricsNamespace = namespace, namespace
	}
	side.APIToken, _ = std.Env("DAPR_API_TOKEN")
	side.AppToken, _ = std.Env("APP_API_TOKEN")
	disabled, _ := std.Env("DAPR_HTTP_DISABLE_H2C")
	side.NoHTTP2 = slices.Contains([]string{"1", "t", "true", "y", "yes", "on"}, strings.ToLower(strings.TrimSpace(disabled)))
	return side
}
