package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// Views implements [Session]. The assignment is stored in etcd. A node that sees an assignment to
// other members than the present ones proposes the next; the first proposal wins if it is for the
// members of that moment.
func (s *etcdSession) Views(ctx context.Context) iter.Seq2[View, error] {
	return func(yield func(View, error) bool) {
		for ctx.Err() == nil {
			c, err := s.etcd.readMembership(ctx)
			switch {
			case err == nil && c.isCurrent:
				if !yield(c.view, nil) {
					return
				}
				err = s.etcd.waitForChange(ctx, c.revision)
			case err == nil:
				err = s.etcd.propose(ctx, c)
			}
			if err != nil {
				yield(View{}, err)
				return
			}
		}
	}
}

// membership is what etcd stores about the members at one revision.
type membership struct {
	revision           int64
	view               View
	createRevisions    []int64 // of the members
	assignmentRevision int64   // 0 if there is no assignment
	isCurrent          bool    // the assignment is to these members
}

// readMembership reads the members and the assignment, and computes the next assignment.
func (e *Etcd) readMembership(ctx context.Context) (membership, error) {
	resp, err := e.client.Get(ctx, e.clusterKey(), clientv3.WithPrefix())
	if err != nil {
		return membership{}, fmt.Errorf("read the members: %w", err)
	}
	c := membership{revision: resp.Header.Revision}
	owners := make([]string, e.config.Partitions)
	secrets, formats := map[string]string{}, map[string]int{}
	var ids []string
	for _, kv := range resp.Kvs {
		if id, ok := strings.CutPrefix(string(kv.Key), e.secretsKey()); ok {
			secrets[id] = string(kv.Value)
		} else if id, ok := strings.CutPrefix(string(kv.Key), e.formatsKey()); ok {
			format, err := strconv.Atoi(string(kv.Value))
			if err != nil {
				return membership{}, fmt.Errorf("read the record format of node %q at %q: %w", id, kv.Key, err)
			}
			formats[id] = format
		} else if id, ok := strings.CutPrefix(string(kv.Key), e.nodesKey()); ok {
			ids = append(ids, id)
			c.view.Members = append(c.view.Members, Node{ID: id, Addr: string(kv.Value)})
			c.createRevisions = append(c.createRevisions, kv.CreateRevision)
		} else if string(kv.Key) == e.assignmentKey() {
			c.assignmentRevision = kv.ModRevision
			if err := json.Unmarshal(kv.Value, &owners); err != nil {
				return membership{}, fmt.Errorf("read the assignment at %q: %w", kv.Key, err)
			}
		}
	}
	if len(owners) != e.config.Partitions {
		return membership{}, fmt.Errorf("the cluster has %d partitions but this node has %d: configure the same number on all nodes", len(owners), e.config.Partitions)
	}
	for i := range c.view.Members {
		n := &c.view.Members[i]
		n.Secret, n.Format = secrets[n.ID], max(1, formats[n.ID])
	}
	c.view.Owners = Assign(owners, ids)
	c.isCurrent = slices.Equal(owners, c.view.Owners)
	return c, nil
}

// propose stores the assignment of c, if neither it nor the members have changed since.
func (e *Etcd) propose(ctx context.Context, c membership) error {
	value, err := json.Marshal(c.view.Owners)
	if err != nil {
		return fmt.Errorf("propose an assignment: %w", err)
	}
	same := []clientv3.Cmp{
		clientv3.Compare(clientv3.ModRevision(e.assignmentKey()), "=", c.assignmentRevision),
		clientv3.Compare(clientv3.CreateRevision(e.nodesKey()), "<", c.revision+1).WithPrefix(),
	}
	for i, m := range c.view.Members {
		same = append(same, clientv3.Compare(clientv3.CreateRevision(e.nodeKey(m.ID)), "=", c.createRevisions[i]))
	}
	if _, err := e.client.Txn(ctx).If(same...).Then(clientv3.OpPut(e.assignmentKey(), string(value))).Commit(); err != nil {
		return fmt.Errorf("propose an assignment: %w", err)
	}
	return nil
}

// waitForChange waits until the members or the assignment have changed after the revision.
func (e *Etcd) waitForChange(ctx context.Context, revision int64) error {
	ctx, cancel := context.WithCancel(clientv3.WithRequireLeader(ctx))
	defer cancel()
	resp, ok := <-e.client.Watch(ctx, e.clusterKey(), clientv3.WithPrefix(), clientv3.WithRev(revision+1))
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case !ok:
		return fmt.Errorf("watch the members: %w", context.Canceled)
	case resp.Err() != nil:
		return fmt.Errorf("watch the members: %w", resp.Err())
	}
	return nil
}
