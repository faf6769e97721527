package etcdmember

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"go.etcd.io/etcd/server/v3/etcdserver"
	"go.etcd.io/etcd/server/v3/etcdserver/api/membership"
)

// Timeout of one attempt to announce an address, and the pause before the next.
const (
	announceTimeout = 5 * time.Second
	announceRetry   = time.Second
)

// announce updates the address of this member in the cluster, if it has changed: for example when
// the members move from http to https one by one. It retries until the cluster has the address, or
// ctx ends.
func (m *Member) announce(ctx context.Context, s *etcdserver.EtcdServer) {
	select {
	case <-s.ReadyNotify():
	case <-ctx.Done():
		return
	}
	for ctx.Err() == nil {
		known := s.Cluster().Member(s.MemberID())
		if known == nil {
			return // another member has removed this one, so etcd ends
		}
		var urls []string
		for _, u := range m.config.AdvertisePeerUrls {
			urls = append(urls, u.String())
		}
		if slices.Equal(known.PeerURLs, urls) {
			return
		}
		bounded, cancel := context.WithTimeout(ctx, announceTimeout)
		_, err := s.UpdateMember(bounded, membership.Member{ID: s.MemberID(), RaftAttributes: membership.RaftAttributes{PeerURLs: urls}})
		cancel()
		if err == nil {
			m.log.LogAttrs(ctx, slog.LevelInfo, "announced a new address of this etcd member",
				slog.Any("before", known.PeerURLs), slog.Any("now", urls))
			return
		}
		m.log.LogAttrs(ctx, slog.LevelWarn, "cannot announce the address of this etcd member; retrying", slog.Any("err", err))
		timer := time.NewTimer(announceRetry)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
	}
}
