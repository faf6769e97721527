package cluster_test

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"carillon/internal/cluster"
	"carillon/internal/cluster/clustertest"
	"carillon/internal/memnet"
)

func TestFailedReleaseIsRetried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		agreement := clustertest.New(2, time.Minute, nil)
		ctx, stop := context.WithCancel(t.Context())
		var nodes sync.WaitGroup
		start := func(id string, own func(context.Context)) {
			nodes.Go(func() {
				err := cluster.Run(ctx, cluster.Config{
					Node: cluster.Node{ID: id, Addr: id},
					RunPartition: func(ctx context.Context, _ int, c cluster.Claim) {
						if _, err := c.Fence(ctx); err == nil {
							own(ctx)
						}
					},
				}, agreement, logTo(t))
				if err != nil {
					t.Error(err)
				}
			})
			synctest.Wait()
		}
		start("a", func(partition context.Context) {
			<-partition.Done()
			// It lets go because of b, and cannot say so for longer than it tries, and not so long
			// that its lease ends.
			if ctx.Err() == nil {
				agreement.Cut("a", true)
				time.AfterFunc(5*time.Second, func() { agreement.Cut("a", false) })
			}
		})
		owned := make(chan struct{})
		start("b", func(ctx context.Context) { close(owned); <-ctx.Done() })
		time.Sleep(10 * time.Second)
		synctest.Wait()
		select {
		case <-owned:
		default:
			t.Error("b has not got its partition in 10s, and a let go of it after 5s")
		}
		stop()
		nodes.Wait()
	})
}

// A slowEtcd grants a lease, and takes its time for claims: it begins them when it gets them, and
// ends them when it is let.
type slowEtcd struct {
	etcdserverpb.UnimplementedKVServer
	etcdserverpb.UnimplementedLeaseServer
	begun, let chan struct{}
}

func (*slowEtcd) LeaseGrant(_ context.Context, r *etcdserverpb.LeaseGrantRequest) (*etcdserverpb.LeaseGrantResponse, error) {
	return &etcdserverpb.LeaseGrantResponse{ID: 1, TTL: r.GetTTL()}, nil
}

func (*slowEtcd) LeaseRevoke(context.Context, *etcdserverpb.LeaseRevokeRequest) (*etcdserverpb.LeaseRevokeResponse, error) {
	return new(etcdserverpb.LeaseRevokeResponse), nil
}

func (*slowEtcd) LeaseKeepAlive(s etcdserverpb.Lease_LeaseKeepAliveServer) error {
	for {
		if _, err := s.Recv(); err != nil {
			return err
		}
		if err := s.Send(&etcdserverpb.LeaseKeepAliveResponse{ID: 1, TTL: 2}); err != nil {
			return err
		}
	}
}

func (e *slowEtcd) Txn(_ context.Context, r *etcdserverpb.TxnRequest) (*etcdserverpb.TxnResponse, error) {
	if key := string(r.GetCompare()[0].GetKey()); key == "carillon/claim/0003" {
		close(e.begun)
		<-e.let // whether or not anybody waits
	}
	return &etcdserverpb.TxnResponse{Header: new(etcdserverpb.ResponseHeader), Succeeded: true}, nil
}

func TestCancelledClaimIsNotAppliedLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &slowEtcd{begun: make(chan struct{}), let: make(chan struct{})}
		l, server := memnet.Listen(), grpc.NewServer()
		etcdserverpb.RegisterKVServer(server, e)
		etcdserverpb.RegisterLeaseServer(server, e)
		go func() { _ = server.Serve(l) }()
		defer server.Stop()
		client, err := clientv3.New(clientv3.Config{
			Endpoints: []string{"http://etcd:2379"}, Context: t.Context(), DialOptions: []grpc.DialOption{
				grpc.WithTransportCredentials(insecure.NewCredentials()),
				grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) }),
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		c := cluster.NewEtcd(cluster.EtcdConfig{}, client, logTo(t))
		err = c.Join(t.Context(), cluster.Node{ID: "a", Addr: "a"}, func(ctx context.Context, s cluster.Session) {
			ended := make(chan struct{})
			claiming, giveUp := context.WithCancel(ctx)
			go func() {
				defer close(ended)
				if _, err := s.Claim(claiming, 3); err != nil && !errors.Is(err, context.Canceled) {
					t.Errorf("Claim = %v", err)
				}
			}()
			<-e.begun
			giveUp()
			time.Sleep(time.Minute)
			select {
			case <-ended:
				t.Error("Claim has ended while etcd is at work on it: what is released now would be claimed later")
			default:
			}
			close(e.let)
			<-ended
		})
		if err != nil {
			t.Error(err)
		}
	})
}
