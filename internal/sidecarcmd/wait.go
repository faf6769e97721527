package sidecarcmd

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"carillon/internal/flagvalue"
	"carillon/internal/terminal"
)

// await waits until the sidecar of this host is ready, for a minute at most (sidecar specification §5.1).
func (c *sidecarOptions) await(ctx context.Context, std *terminal.Streams) error {
	number, err := flagvalue.ParsePort(c.httpPort)
	if err != nil {
		return fmt.Errorf("--dapr-http-port %q: %w", c.httpPort, err)
	}
	client := &http.Client{Timeout: 500 * time.Millisecond, Transport: new(http.Transport)} // ignores proxies
	defer client.CloseIdleConnections()
	return waitOutbound(ctx, client, fmt.Sprintf("http://localhost:%d/v1.0/healthz/outbound", number), std)
}

// waitOutbound requests url every 100 ms until the response is 2xx, for a minute at most.
func waitOutbound(ctx context.Context, client *http.Client, url string, std *terminal.Streams) error {
	giveUp := time.NewTimer(time.Minute)
	defer giveUp.Stop()
	fmt.Fprintf(std.Err, "waiting for a sidecar to answer at %s\n", url)
	for {
		err := askOutbound(ctx, client, url)
		if err == nil {
			fmt.Fprintln(std.Err, "the sidecar answers")
			return nil
		}
		again := time.NewTimer(100 * time.Millisecond)
		select {
		case <-again.C:
		case <-ctx.Done():
			again.Stop()
			return fmt.Errorf("wait for a sidecar: %w", context.Cause(ctx))
		case <-giveUp.C:
			again.Stop()
			return fmt.Errorf("no sidecar was ready at %s within a minute: %w; start it, or give its --dapr-http-port", url, err)
		}
	}
}

func askOutbound(ctx context.Context, client *http.Client, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("the response is %s", resp.Status)
	}
	return nil
}
