package etcdstore

import (
	"context"
	"log/slog"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// Over returns the store that cfg describes on a client, which is the store's to close.
func Over(client *clientv3.Client, cfg Config, log *slog.Logger) *Store {
	return newStore(client, cfg.withDefaults(), log)
}

// Looked has etcd write what it holds back for a tenth of a second, and looks at its room then.
func (s *Store) Looked(ctx context.Context) error {
	l, err := s.readStatus(ctx)
	if err != nil {
		return err
	}
	if err := s.compact(ctx, l.revision); err != nil {
		return err
	}
	_, err = s.checkCapacity(ctx)
	return err
}
