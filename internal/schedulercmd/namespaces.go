package schedulercmd

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"

	"carillon/internal/kubernetes"
	"carillon/internal/nodecmd"
	"carillon/internal/terminal"
)

// namespaces returns the watcher of the namespaces of Kubernetes, or nil elsewhere (scheduler specification
// §7.7).
func (c *schedulerOptions) namespaces(std *terminal.Streams, log *slog.Logger) (*kubernetes.Watcher, error) {
	if c.mode != "kubernetes" {
		return nil, nil
	}
	if skip, _ := std.Env("DAPR_UNSAFE_SKIP_CONTAINER_UID_GID_CHECK"); skip != "true" && os.Getuid() == 0 {
		return nil, errors.New("--mode=kubernetes: the container runs as root: give it another user, or set DAPR_UNSAFE_SKIP_CONTAINER_UID_GID_CHECK to true")
	}
	if c.kubeconfig != "" {
		cfg := kubernetes.Config{Kubeconfig: c.kubeconfig}
		if err := cfg.Check(); err != nil {
			return nil, fmt.Errorf("--kubeconfig: %w", err)
		}
		return kubernetes.New(cfg, log), nil
	}
	host, _ := std.Env("KUBERNETES_SERVICE_HOST")
	port, _ := std.Env("KUBERNETES_SERVICE_PORT")
	if host == "" || port == "" {
		return nil, errors.New("--mode=kubernetes: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set: run in a pod, or give --kubeconfig")
	}
	return kubernetes.New(kubernetes.Config{
		Host: net.JoinHostPort(nodecmd.Unbracket(host), port), TokenFile: nodecmd.AccountToken, CAFile: nodecmd.AccountCA,
	}, log), nil
}
