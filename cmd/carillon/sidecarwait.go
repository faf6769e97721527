package main

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

// await waits until the sidecar of this host says that its API works, for a minute at most (sidecar specification §5.1).
func (c *sidecarConfig) await(ctx context.Context, std stdio) error {
	number, err := parsePort(c.httpPort)
	if err != nil {
		return fmt.Errorf("--dapr-http-port %q: %w", c.httpPort, err)
	}
	client := &http.Client{Timeout: 500 * time.Millisecond, Transport: new(http.Transport)} // without a proxy
	defer client.CloseIdleConnections()
	return waitOutbound(ctx, client, fmt.Sprintf("http://localhost:%d/v1.0/healthz/outbound", number), std)
}

// waitOutbound asks url every 100 ms until the answer is 2xx. It gives up after a minute, or when ctx ends.
func waitOutbound(ctx context.Context, client *http.Client, url string, std stdio) error {
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
			return fmt.Errorf("no sidecar answered at %s within a minute: %w; start one, or name its --dapr-http-port", url, err)
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
		return fmt.Errorf("it answers %s", resp.Status)
	}
	return nil
}
