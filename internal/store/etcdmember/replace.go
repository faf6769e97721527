package etcdmember

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// Replace removes the lost member with that name from the cluster, and adds a replacement that
// starts without data. It asks the member at the endpoint, and needs a majority.
func Replace(ctx context.Context, endpoint, name string) error {
	c, err := dial(ctx, endpoint)
	if err != nil {
		return err
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(ctx, 5*callTimeout)
	defer cancel()
	list, err := c.MemberList(ctx, clientv3.WithSerializable())
	if err != nil {
		return fmt.Errorf("list the members of the etcd at %s: %w", endpoint, withAdvice(err))
	}
	for _, m := range list.Members {
		if m.Name != name {
			continue
		}
		if health(ctx, m.PeerURLs) == "yes" {
			return fmt.Errorf("the member %q is running at %s: stop it first, or do not replace it", name, m.PeerURLs[0])
		}
		if _, err := c.MemberRemove(ctx, m.ID); err != nil {
			return fmt.Errorf("remove the member %q: %w", name, withAdvice(err))
		}
		return addMember(ctx, c, name, m.PeerURLs)
	}
	var names []string
	for _, m := range list.Members {
		names = append(names, m.Name)
	}
	slices.Sort(names)
	return fmt.Errorf("no member has the name %q: the members are %q", name, names)
}

// addMember adds a member that starts without data. Etcd refuses that until the other members have
// been connected for five seconds; addMember retries, because they have just lost one.
func addMember(ctx context.Context, c *clientv3.Client, name string, peers []string) error {
	for {
		_, err := c.MemberAdd(ctx, peers)
		if err == nil {
			return nil
		}
		timer := time.NewTimer(callTimeout / 10)
		select {
		case <-timer.C:
			if errors.Is(err, rpctypes.ErrUnhealthy) {
				continue
			}
		case <-ctx.Done():
			timer.Stop()
		}
		return fmt.Errorf("the member %q was removed, but its replacement at %s was not added: %w", name, peers[0], err)
	}
}
