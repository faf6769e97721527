package etcdmember

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// A lockedServer is one whose locks are held by a goroutine that has ended: it answers nothing, whatever the context says.
type lockedServer struct {
	etcdserverpb.UnimplementedKVServer

	unlock chan struct{}
}

func (s *lockedServer) Range(context.Context, *etcdserverpb.RangeRequest) (*etcdserverpb.RangeResponse, error) {
	<-s.unlock
	return nil, nil
}

func TestACallOfAMemberThatHasFailedEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		locked := &lockedServer{unlock: make(chan struct{})}
		defer close(locked.unlock)
		var k kv
		s := etcdserverpb.KVServer(locked)
		k.server.Store(&s)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		begun := time.Now()
		_, err := k.Range(ctx, new(etcdserverpb.RangeRequest))
		if took := time.Since(begun); status.Code(err) != codes.DeadlineExceeded || took != 5*time.Second {
			t.Errorf("after %v: %v, want DeadlineExceeded after 5 s", took, err)
		}
	})
}
