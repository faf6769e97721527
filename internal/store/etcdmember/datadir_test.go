package etcdmember_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"

	"carillon/internal/store/datadir"
	"carillon/internal/store/etcdmember"
	"carillon/internal/store/etcdmember/etcdtest"
)

// run runs a member until the test ends, and returns when it serves.
func run(t *testing.T, cfg etcdmember.Config) (m *etcdmember.Member, ended <-chan error) {
	t.Helper()
	m, err := etcdmember.New(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { done <- m.Run(ctx) }()
	t.Cleanup(cancel)
	for deadline := time.Now().Add(30 * time.Second); write(t, m) != nil; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the member does not serve: %v", write(t, m))
		}
	}
	return m, done
}

// write is call for writes.
func write(t *testing.T, m *etcdmember.Member) error {
	t.Helper()
	_, err := m.KV().Put(t.Context(), &etcdserverpb.PutRequest{Key: []byte("k"), Value: []byte("v")})
	return err
}

func TestMemberFailsWhenDirectoryIsReplaced(t *testing.T) {
	for name, replace := range map[string]func(dir string) error{
		"deleted":      os.RemoveAll,
		"renamed":      func(dir string) error { return os.Rename(dir, dir+".old") },
		"lock deleted": func(dir string) error { return os.Remove(filepath.Join(dir, "LOCK")) },
	} {
		t.Run(name, func(t *testing.T) {
			cfg := etcdtest.Config(t)
			m, ended := run(t, cfg)
			if err := replace(cfg.Dir); err != nil {
				t.Fatal(err)
			}
			if err := write(t, m); err == nil {
				t.Error("a write is acknowledged whose folder is gone")
			}
			wantReplaced(t, ended)
		})
	}
}

// wantReplaced checks that the member ends because its folder is gone.
func wantReplaced(t *testing.T, ended <-chan error) {
	t.Helper()
	select {
	case err := <-ended:
		if !errors.Is(err, datadir.ErrReplaced) {
			t.Errorf("Run: %v, want %v", err, datadir.ErrReplaced)
		}
	case <-time.After(15 * time.Second):
		t.Error("the member runs on")
	}
}

func TestIdleMemberFailsWhenDataIsDeleted(t *testing.T) {
	cfg := etcdtest.Config(t)
	_, ended := run(t, cfg)
	if err := os.RemoveAll(filepath.Join(cfg.Dir, "member")); err != nil {
		t.Fatal(err)
	}
	wantReplaced(t, ended)
}

func TestSecondMemberOnDirectoryIsRefused(t *testing.T) {
	cfg := etcdtest.Config(t)
	run(t, cfg)
	info, err := os.Stat(filepath.Join(cfg.Dir, "LOCK"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the lock is %v, %v; want it for its user alone", info, err)
	}
	second, err := etcdmember.New(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := second.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "another carillon is running on this directory") {
		t.Errorf("a second member in the data directory ended with %v", err)
	}
}
