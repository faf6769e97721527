package sidecar

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// listPatience is how long a scheduler has to publish its first list; then perhaps another one is asked.
const listPatience = 10 * time.Second

// watchHosts keeps the list of schedulers as any configured one of them publishes it. It ends with ctx, or when a
// scheduler publishes no lists: then the configured addresses are the list, for good.
func (s *Sidecar) watchHosts(ctx context.Context) error {
	level := slog.LevelWarn // of the next failure: the first of several is worth a warning
	for {
		address := s.cfg.Schedulers[rand.IntN(len(s.cfg.Schedulers))]
		began := time.Now()
		opened, lists, err := s.watchHostsOf(ctx, address)
		if status.Code(err) == codes.Unimplemented && lists == 0 {
			return s.applyHosts(ctx, s.cfg.Schedulers)
		}
		least, most := time.Second, time.Second
		switch {
		case !opened:
			least, most = 500*time.Millisecond, 1500*time.Millisecond
		case lists > 0: // at once, but in no busy loop with one that breaks off each time
			least = max(0, time.Second-time.Since(began))
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
		s.log.Log(ctx, level, "no list of scheduler hosts", slog.String("node", address), slog.Any("err", err))
		level = slog.LevelDebug
		if !pause(ctx, least, most) {
			return nil
		}
	}
}

// watchHostsOf applies the lists that one scheduler publishes until that ends. It says whether it got through to the
// scheduler, and how many lists came.
func (s *Sidecar) watchHostsOf(ctx context.Context, address string) (opened bool, lists int, err error) {
	conn, err := s.connect(address)
	if err != nil {
		return false, 0, err
	}
	defer func() { _ = conn.Close() }()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	late := time.AfterFunc(listPatience, cancel)
	defer late.Stop()
	stream, err := schedulerv1.NewSchedulerClient(conn).WatchHosts(ctx, &schedulerv1.WatchHostsRequest{})
	if err != nil {
		return false, 0, err
	}
	for {
		m, err := stream.Recv()
		if err != nil {
			return true, lists, err
		}
		late.Stop()
		lists++
		hosts := make([]string, 0, len(m.GetHosts()))
		for _, h := range m.GetHosts() {
			hosts = append(hosts, h.GetAddress())
		}
		if err := s.applyHosts(ctx, hosts); err != nil {
			return true, lists, err
		}
	}
}

func (s *Sidecar) applyHosts(ctx context.Context, hosts []string) error {
	changed, err := s.schedulers.set(ctx, hosts)
	if err != nil {
		return err
	}
	if changed {
		say(ctx, s.log, fmt.Sprintf("Connected and received scheduler hosts addresses: %v", hosts))
	}
	if !s.ready.hosts.Swap(true) {
		say(ctx, s.log, "Scheduler clients initialized")
	}
	return nil
}
