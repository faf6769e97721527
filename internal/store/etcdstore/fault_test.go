package etcdstore_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"carillon/internal/job"
	"carillon/internal/store"
	"carillon/internal/store/etcdmember/etcdtest"
	"carillon/internal/store/etcdstore"
)

func TestUnansweredCallEnds(t *testing.T) {
	deaf, err := net.Listen("tcp", "127.0.0.1:0") // it takes connections and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer deaf.Close()
	s := open(t, etcdstore.Config{Endpoints: []string{"http://" + deaf.Addr().String()}, Timeout: 50 * time.Millisecond})
	_, got := s.Get(t.Context(), []byte("key"))
	var scanned error
	for _, err := range s.Scan(t.Context(), store.Range{}, 0) {
		scanned = err
	}
	for call, err := range map[string]error{"Get": got, "Scan": scanned, "Commit": put(t.Context(), s, "key", "value")} {
		if err == nil || errors.Is(err, store.ErrFenced) || !strings.Contains(err.Error(), "did not respond within 50ms") {
			t.Errorf("%s: %v, want that there was no answer", call, err)
		}
	}
}

func TestStoreRecoversWithEtcd(t *testing.T) {
	cfg := etcdtest.Config(t)
	etcd, stop := etcdtest.Run(t, cfg)
	s := open(t, etcdstore.Config{Endpoints: etcd, Timeout: 100 * time.Millisecond})
	eventually(t, func() error { return put(t.Context(), s, "key", "before") })
	stop()
	if err := put(t.Context(), s, "key", "meanwhile"); err == nil {
		t.Error("a commit without etcd succeeds")
	}
	etcdtest.Run(t, cfg)
	eventually(t, func() error { return put(t.Context(), s, "other", "after") })
	if got := value(t, s); got != "before" {
		t.Errorf("the store has %q, want what was acknowledged", got)
	}
}

func TestFullEtcdRecovers(t *testing.T) {
	cfg := etcdtest.Config(t)
	const quota = 4 << 20
	cfg.QuotaBytes = quota
	s := open(t, etcdstore.Config{Endpoints: run(t, cfg), Watch: 10 * time.Millisecond, Compact: time.Hour})
	large := strings.Repeat("x", 1<<19)
	var err error
	for range 20 { // of one key: all but the last are of the past
		if err = put(t.Context(), s, "key", large); err != nil {
			break
		}
	}
	if !errors.Is(err, job.ErrFull) || s.Full() == nil {
		t.Fatalf("more than %d bytes: %v, full: %v; want %v and true", quota, err, s.Full(), job.ErrFull)
	}
	var b store.Batch
	b.Delete([]byte("absent"))
	if err := s.Commit(t.Context(), &b); err != nil {
		t.Errorf("a deletion in a full store: %v", err)
	}
	if got := value(t, s); got != large {
		t.Errorf("a full store has %d bytes, want %d", len(got), len(large))
	}

	keep(t, s)
	eventually(t, func() error {
		if s.Full() != nil {
			return errors.New("it is full")
		}
		return put(t.Context(), s, "key", "small")
	})
}

func TestStoreIsFullBeforeEtcdRefuses(t *testing.T) {
	cfg := etcdtest.Config(t)
	const quota = 4 << 20
	cfg.QuotaBytes = quota
	s := open(t, etcdstore.Config{Endpoints: run(t, cfg), Watch: 10 * time.Millisecond, Compact: time.Hour})
	large := strings.Repeat("x", 1<<15)
	n := 0
	for ; s.Full() == nil; n++ {
		if err := put(t.Context(), s, fmt.Sprint(n), large); err != nil {
			t.Fatalf("after %d writes: %v", n, err)
		}
		if n > 2*quota/len(large) {
			t.Fatalf("%d writes fit into a quota of %d", n, quota)
		}
		if err := s.CheckCapacity(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := put(t.Context(), s, "outcome", "handled"); err != nil {
		t.Errorf("what must go on: %v", err)
	}
	keep(t, s)
	for i := range n {
		var b store.Batch
		b.Delete(fmt.Append(nil, i))
		if err := s.Commit(t.Context(), &b); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, func() error {
		if s.Full() != nil {
			return errors.New("it is full though it is empty")
		}
		return nil
	})
}

// keep runs the store's housekeeping until the test ends.
func keep(t *testing.T, s *etcdstore.Store) {
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// eventually fails the test unless do succeeds within some seconds. etcd's time is not the test's: it is real.
func eventually(t *testing.T, do func() error) {
	t.Helper()
	var err error
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if err = do(); err == nil {
			return
		}
	}
	t.Fatal(err)
}
