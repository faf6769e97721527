package etcdstore

import (
	"context"
	"log/slog"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// NewStore returns the store of cfg on a client, which the store closes.
func NewStore(client *clientv3.Client, cfg Config, log *slog.Logger) *Store {
	return newStore(client, cfg.withDefaults(), log)
}

// CheckCapacity compacts, which makes etcd write the changes that it buffers for 100 ms, and then
// checks the capacity.
func (s *Store) CheckCapacity(ctx context.Context) error {
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
