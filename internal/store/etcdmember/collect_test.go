package etcdmember

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// A slowServer takes a while for each transaction. Parts that put "fenced" fail, and none that puts "large" is taken.
type slowServer struct {
	etcdserverpb.UnimplementedKVServer

	takes time.Duration
	hangs string // the key whose transaction has no answer

	mu   sync.Mutex // guards the field below
	txns [][]string // the keys that each has put
}

func (s *slowServer) Txn(ctx context.Context, r *etcdserverpb.TxnRequest) (*etcdserverpb.TxnResponse, error) {
	answer := &etcdserverpb.TxnResponse{Header: &etcdserverpb.ResponseHeader{Revision: 7}}
	var keys []string
	for _, op := range r.GetSuccess() {
		if part := op.GetRequestTxn(); part != nil {
			key := keyOf(part)
			keys = append(keys, key)
			answer.Responses = append(answer.Responses, &etcdserverpb.ResponseOp{Response: &etcdserverpb.ResponseOp_ResponseTxn{
				ResponseTxn: &etcdserverpb.TxnResponse{Succeeded: key != "fenced"},
			}})
		}
	}
	if len(keys) == 0 {
		keys = []string{keyOf(r)}
		answer.Succeeded = keys[0] != "fenced"
	}
	if slices.Contains(keys, s.hangs) {
		<-ctx.Done()
		return nil, status.FromContextError(ctx.Err()).Err()
	}
	time.Sleep(s.takes)
	if slices.Contains(keys, "large") {
		return nil, rpctypes.ErrGRPCNoSpace
	}
	if slices.Contains(keys, "dropped") {
		return nil, status.Error(codes.Unknown, "raft proposal dropped")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.txns = append(s.txns, keys)
	return answer, nil
}

func keyOf(r *etcdserverpb.TxnRequest) string {
	return string(r.GetSuccess()[0].GetRequestPut().GetKey())
}

func putting(key string) *etcdserverpb.TxnRequest {
	put := &etcdserverpb.PutRequest{Key: []byte(key)}
	return &etcdserverpb.TxnRequest{
		Compare: []*etcdserverpb.Compare{{Key: []byte("claim")}},
		Success: []*etcdserverpb.RequestOp{{Request: &etcdserverpb.RequestOp_RequestPut{RequestPut: put}}},
	}
}

// collecting runs f while a collector has a server that takes 10 ms for each transaction.
func collecting(t *testing.T, f func(t *testing.T, c *collector, s *slowServer)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s, c := &slowServer{takes: 10 * time.Millisecond}, newCollector(100, 1<<20)
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { c.run(ctx, s) })
		synctest.Wait()
		f(t, c, s)
		cancel()
		running.Wait()
	})
}

func TestTransactionsOfSeveralNodesBecomeOne(t *testing.T) {
	collecting(t, func(t *testing.T, c *collector, s *slowServer) {
		const each = 50
		var all sync.WaitGroup
		for n := range 3 {
			all.Go(func() {
				for i := range each {
					time.Sleep(time.Duration(n+1) * time.Millisecond) // until the next is there
					if _, err := c.apply(t.Context(), fmt.Sprint(n), putting(fmt.Sprintf("%d-%d", n, i))); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		if got := len(s.txns); got > each+recently {
			t.Errorf("3 nodes with %d transactions each: etcd had %d", each, got)
		}
	})
}

func TestANodeThatIsAloneWaitsForNoOther(t *testing.T) {
	collecting(t, func(t *testing.T, c *collector, s *slowServer) {
		const n = 50
		begin := time.Now()
		for i := range n {
			if _, err := c.apply(t.Context(), "a", putting(fmt.Sprint(i))); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(begin); took != n*s.takes {
			t.Errorf("%d transactions of %v took %v", n, s.takes, took)
		}
	})
}

// together has transactions applied that come while another is under way.
func together(t *testing.T, c *collector, keys ...string) map[string]outcome {
	t.Helper()
	var mu sync.Mutex
	got := map[string]outcome{}
	var all sync.WaitGroup
	for _, key := range append([]string{"first"}, keys...) {
		all.Go(func() {
			answer, err := c.apply(t.Context(), key, putting(key))
			mu.Lock()
			defer mu.Unlock()
			got[key] = outcome{answer, err}
		})
		synctest.Wait()
	}
	all.Wait()
	return got
}

func TestEachPartOfATransactionEndsForItself(t *testing.T) {
	collecting(t, func(t *testing.T, c *collector, s *slowServer) {
		got := together(t, c, "fine", "fenced")
		if len(s.txns) != 2 {
			t.Fatalf("etcd had the transactions %v, want 2", s.txns)
		}
		for key, want := range map[string]bool{"first": true, "fine": true, "fenced": false} {
			o := got[key]
			if o.err != nil || o.answer.GetSucceeded() != want || o.answer.GetHeader().GetRevision() != 7 {
				t.Errorf("%s: %v, %v, want success %v at revision 7", key, o.answer, o.err, want)
			}
		}
	})
}

func TestWhatThereIsNoRoomForFailsNobodyElse(t *testing.T) {
	collecting(t, func(t *testing.T, c *collector, _ *slowServer) {
		for key, o := range together(t, c, "fine", "large") {
			if want := map[bool]codes.Code{true: codes.ResourceExhausted}[key == "large"]; status.Code(o.err) != want {
				t.Errorf("%s: %v, want %v", key, o.err, want)
			}
		}
	})
}

func TestWhatALeaderDropsThatIsAboutToBeOneNoMoreWasNotBegun(t *testing.T) {
	collecting(t, func(t *testing.T, c *collector, _ *slowServer) {
		for key, o := range together(t, c, "dropped", "with it") {
			if want := map[bool]codes.Code{false: codes.FailedPrecondition}[key == "first"]; status.Code(o.err) != want {
				t.Errorf("%s: %v, want %v", key, o.err, want)
			}
		}
	})
}

func TestWhoseLeaderIsLostWaitsForTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := new(Member)
		lost, refused := status.Error(codes.Unavailable, "EOF"), status.Error(codes.ResourceExhausted, "no space")
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond) // until there is another leader
		defer cancel()
		for err, want := range map[error]codes.Code{refused: codes.ResourceExhausted, lost: codes.DeadlineExceeded} {
			if got := m.outlive(ctx, err); status.Code(got) != want {
				t.Errorf("%v becomes %v, want %v", err, got, want)
			}
		}
		begin := time.Now()
		err := m.outlive(t.Context(), lost) // and there is none
		if took := time.Since(begin); status.Code(err) != codes.Unavailable || took != lostAfter {
			t.Errorf("%v becomes %v after %v, want the same after %v", lost, err, took, lostAfter)
		}
	})
}

func TestATransactionWithoutAnAnswerHoldsUpOthersForAMoment(t *testing.T) {
	collecting(t, func(t *testing.T, c *collector, s *slowServer) {
		s.hangs = "lost"
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var lost sync.WaitGroup
		lost.Go(func() {
			if _, err := c.apply(ctx, "a", putting("lost")); status.Code(err) != codes.DeadlineExceeded {
				t.Errorf("the lost one: %v, want DeadlineExceeded", err)
			}
		})
		synctest.Wait()
		begin := time.Now()
		if _, err := c.apply(t.Context(), "b", putting("other")); err != nil {
			t.Error(err)
		}
		if took := time.Since(begin); took > tooLong+gatherMax+s.takes {
			t.Errorf("the other took %v", took)
		}
		lost.Wait()
		time.Sleep(lasts)
	})
}

func TestWhatWaitsWhenAMemberStopsWasNotBegun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c := &slowServer{takes: 10 * time.Millisecond}, newCollector(100, 1<<20)
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { c.run(ctx, s) })
		synctest.Wait()
		var asking sync.WaitGroup
		for n, want := range []codes.Code{codes.OK, codes.FailedPrecondition} {
			asking.Go(func() {
				time.Sleep(time.Duration(n) * time.Millisecond)
				key := fmt.Sprint(n)
				if _, err := c.apply(t.Context(), key, putting(key)); status.Code(err) != want {
					t.Errorf("%s: %v, want %v", key, err, want)
				}
			})
		}
		time.Sleep(5 * time.Millisecond)
		cancel()
		running.Wait()
		asking.Wait()
		if _, err := c.apply(t.Context(), "late", putting("late")); status.Code(err) != codes.FailedPrecondition {
			t.Errorf("late: %v, want FailedPrecondition", err)
		}
	})
}

func TestATransactionIsAsLargeAsEtcdAllows(t *testing.T) {
	c := newCollector(6, 1<<20)
	c.setOpen(true)
	for n := range 7 {
		ctx, cancel := context.WithCancel(t.Context())
		if n == 1 {
			cancel() // nobody waits for this one
		}
		defer cancel()
		c.offers = append(c.offers, &offer{gone: ctx.Err, txn: putting("key")})
	}
	for _, want := range []int{3, 3, 0} { // of two operations each
		if got := len(c.take()); got != want {
			t.Errorf("a transaction of %d parts, want %d", got, want)
		}
	}
}

func TestOnlyRecordsAreWrittenForOthers(t *testing.T) {
	fine := putting("records/a")
	elsewhere, ranges, unfenced := putting("claims/a"), putting("records/a"), putting("records/a")
	failing, reads := putting("records/a"), putting("records/a")
	ranges.Success[0].Request = &etcdserverpb.RequestOp_RequestDeleteRange{
		RequestDeleteRange: &etcdserverpb.DeleteRangeRequest{Key: []byte("records/a"), RangeEnd: []byte("z")},
	}
	unfenced.Compare = nil
	failing.Failure = elsewhere.Success
	reads.Success[0].Request = &etcdserverpb.RequestOp_RequestRange{RequestRange: &etcdserverpb.RangeRequest{Key: []byte("records/a")}}
	for what, r := range map[string]*etcdserverpb.TxnRequest{
		"elsewhere": elsewhere, "a range": ranges, "without a claim": unfenced, "otherwise": failing, "reads": reads,
	} {
		if writesUnder(r, "records/") {
			t.Errorf("what writes %s is taken", what)
		}
	}
	if !writesUnder(fine, "records/") {
		t.Error("what writes a record is not taken")
	}
}
