package schedulerclient

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"carillon/internal/pause"
	"carillon/internal/sidecar/daprlog"
)

// listTimeout is how long a scheduler has to publish its first list. After it another may be asked.
const listTimeout = 10 * time.Second

// WatchHosts keeps the list of hosts as one of the configured schedulers publishes it. It returns
// when ctx ends. It also returns if a scheduler publishes no lists: then the configured addresses
// are the list for good.
func (c *Client) WatchHosts(ctx context.Context) error {
	level := slog.LevelWarn // of the next failure; only the first of several is a warning
	for {
		address := c.cfg.Addresses[rand.IntN(len(c.cfg.Addresses))]
		start := time.Now()
		opened, lists, err := c.watchHostsOf(ctx, address)
		if status.Code(err) == codes.Unimplemented && lists == 0 {
			return c.applyHosts(ctx, c.cfg.Addresses)
		}
		least, most := time.Second, time.Second
		switch {
		case !opened:
			least, most = 500*time.Millisecond, 1500*time.Millisecond
		case lists > 0: // at once, but at most once a second
			least = max(0, time.Second-time.Since(start))
			most = least
		}
		select {
		case <-ctx.Done():
			return nil
		default:
		}
		if lists > 0 {
			level = slog.LevelWarn
		}
		c.log.Log(ctx, level, "no list of scheduler hosts",
			slog.String("node", address), slog.Any("err", err))
		level = slog.LevelDebug
		if !pause.Between(ctx, least, most) {
			return nil
		}
	}
}

// watchHostsOf applies the lists of one scheduler until its stream ends. It reports whether the
// stream was opened, and how many lists arrived.
func (c *Client) watchHostsOf(
	ctx context.Context, address string,
) (opened bool, lists int, err error) {
	conn, err := c.Connect(address)
	if err != nil {
		return false, 0, err
	}
	defer func() { _ = conn.Close() }()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	timeout := time.AfterFunc(listTimeout, cancel)
	defer timeout.Stop()
	client := schedulerv1.NewSchedulerClient(conn)
	stream, err := client.WatchHosts(ctx, &schedulerv1.WatchHostsRequest{})
	if err != nil {
		return false, 0, err
	}
	for {
		m, err := stream.Recv()
		if err != nil {
			return true, lists, err
		}
		timeout.Stop()
		lists++
		hosts := make([]string, 0, len(m.GetHosts()))
		for _, h := range m.GetHosts() {
			hosts = append(hosts, h.GetAddress())
		}
		if err := c.applyHosts(ctx, hosts); err != nil {
			return true, lists, err
		}
	}
}

func (c *Client) applyHosts(ctx context.Context, hosts []string) error {
	changed, err := c.setHosts(ctx, hosts)
	if err != nil {
		return err
	}
	if changed {
		line := fmt.Sprintf("Connected and received scheduler hosts addresses: %v", hosts)
		daprlog.Info(ctx, c.log, line)
	}
	c.cfg.Listed(ctx)
	return nil
}
