package etcdmember

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"go.etcd.io/etcd/server/v3/etcdserver"
	"go.etcd.io/etcd/server/v3/etcdserver/api/membership"
)

// How long one try to announce an address may take, and how long after it the next begins.
const (
	announceTimeout = 5 * time.Second
	announceRetry   = time.Second
)

// announce tells the cluster at which address it finds this member, if that is another one than it remembers, as when the
// members turn from http to https one by one. It tries until that is known, or ctx ends.
func (m *Member) announce(ctx context.Context, s *etcdserver.EtcdServer) {
	select {
	case <-s.ReadyNotify():
	case <-ctx.Done():
		return
	}
	for ctx.Err() == nil {
		known := s.Cluster().Member(s.MemberID())
		if known == nil {
			return // another member has removed it, which ends it
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
			m.log.LogAttrs(ctx, slog.LevelInfo, "the cluster finds this member at another address now",
				slog.Any("before", known.PeerURLs), slog.Any("now", urls))
			return
		}
		m.log.LogAttrs(ctx, slog.LevelWarn, "cannot tell the cluster where it finds this member; trying again", slog.Any("err", err))
		timer := time.NewTimer(announceRetry)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
	}
}
