package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// runningApps are apps that run in another process.
type runningApps struct {
	cfg   AppsConfig
	child *child
}

// startApps starts the process of the apps, and returns when all are connected.
func (b *bench) startApps(ctx context.Context, cfg AppsConfig) (*runningApps, error) {
	args := []string{
		Apps, "--prefix", cfg.Prefix, "--apps", strconv.Itoa(cfg.Apps), "--jobs", strconv.Itoa(cfg.Jobs), "--answer", cfg.Answer,
		"--due", instant(cfg.Due), "--interval", cfg.Interval.String(),
	}
	for _, address := range cfg.Schedulers {
		args = append(args, "--scheduler", address)
	}
	c, err := b.startChild(ctx, args...)
	if err != nil {
		return nil, err
	}
	a := &runningApps{cfg: cfg, child: c}
	for {
		t, err := a.tally(ctx)
		if err == nil && t.Streams == cfg.Apps*len(cfg.Schedulers) {
			return a, nil
		}
		if err := errors.Join(err, until(ctx, time.Now().Add(10*time.Millisecond))); err != nil {
			return nil, errors.Join(err, c.stop())
		}
	}
}

// tally gets what the apps have received.
func (a *runningApps) tally(ctx context.Context) (t Received, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+a.child.matches[0], nil)
	if err != nil {
		return t, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return t, fmt.Errorf("get the tally of the apps: %w", err)
	}
	defer resp.Body.Close()
	return t, json.NewDecoder(resp.Body).Decode(&t)
}

// rate returns the triggers per second between two tallies.
func rate(from, to Received) float64 {
	return float64(to.Triggers-from.Triggers) / to.At.Sub(from.At).Seconds()
}
