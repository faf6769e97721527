package cluster

import (
	"context"
	"fmt"

	clientv3 "go.etcd.io/etcd/client/v3"

	"carillon/internal/store"
)

// Claim implements [Session]. The fence is the revision that last wrote the claim.
func (s *etcdSession) Claim(ctx context.Context, partition int) (store.Fence, error) {
	f, err := s.claim(ctx, s.etcd.claimKey(partition))
	if err != nil {
		return store.Fence{}, fmt.Errorf("claim partition %d: %w", partition, err)
	}
	return f, nil
}

func (s *etcdSession) claim(ctx context.Context, key string) (store.Fence, error) {
	put := clientv3.OpPut(key, s.node.ID, clientv3.WithLease(s.lease))
	// A cancelled transaction might still be applied, even after the partition was released. No other node
	// could then claim it.
	steady, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer s.onEnd(cancel)()
	for ctx.Err() == nil {
		resp, err := s.etcd.client.Txn(steady).
			If(clientv3.Compare(clientv3.CreateRevision(key), "=", 0)).Then(put).Else(clientv3.OpGet(key)).Commit()
		if err != nil {
			return store.Fence{}, err
		}
		if resp.Succeeded {
			return store.Fence{Key: key, Revision: resp.Header.Revision}, nil
		}
		held := resp.Responses[0].GetResponseRange().Kvs[0]
		if clientv3.LeaseID(held.Lease) != s.lease {
			if err := s.etcd.waitForDeletion(ctx, key, resp.Header.Revision); err != nil {
				return store.Fence{}, err
			}
			continue
		}
		resp, err = s.etcd.client.Txn(steady).
			If(clientv3.Compare(clientv3.ModRevision(key), "=", held.ModRevision)).Then(put).Commit()
		if err != nil {
			return store.Fence{}, err
		}
		if resp.Succeeded {
			return store.Fence{Key: key, Revision: resp.Header.Revision}, nil
		}
	}
	return store.Fence{}, ctx.Err()
}

// Release implements [Session].
func (s *etcdSession) Release(ctx context.Context, partition int) error {
	key := s.etcd.claimKey(partition)
	_, err := s.etcd.client.Txn(clientv3.WithRequireLeader(ctx)).
		If(clientv3.Compare(clientv3.LeaseValue(key), "=", s.lease)).Then(clientv3.OpDelete(key)).Commit()
	if err != nil {
		return fmt.Errorf("release partition %d: %w", partition, err)
	}
	return nil
}

// Leave implements [Session].
func (s *etcdSession) Leave(ctx context.Context) error {
	key := s.etcd.nodeKey(s.node.ID)
	_, err := s.etcd.client.Txn(clientv3.WithRequireLeader(ctx)).
		If(clientv3.Compare(clientv3.LeaseValue(key), "=", s.lease)).Then(clientv3.OpDelete(key)).Commit()
	if err != nil {
		return fmt.Errorf("leave as %q: %w", s.node.ID, err)
	}
	return nil
}
