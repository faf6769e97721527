package etcdmember_test

import (
	"log/slog"
	"strings"
	"testing"

	"carillon/internal/store/etcdmember"
)

func TestMemberConfigErrorNamesField(t *testing.T) {
	whole := etcdmember.Config{Name: "a", Dir: "data", Client: "http://127.0.0.1:2379", Peer: "http://127.0.0.1:2380"}
	for want, change := range map[string]func(*etcdmember.Config){
		"needs a name and a directory": func(c *etcdmember.Config) { c.Name = "" },
		`address for clients is ""`:    func(c *etcdmember.Config) { c.Client = "" },
		`address for peers is ""`:      func(c *etcdmember.Config) { c.Peer = "" },
		`no member "a"`:                func(c *etcdmember.Config) { c.Peers = map[string]string{"b": c.Peer} },
		"at least as 5 times":          func(c *etcdmember.Config) { c.Election = 1e6 },
	} {
		cfg := whole
		change(&cfg)
		_, err := etcdmember.New(cfg, slog.New(slog.DiscardHandler))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("New(%+v): %v, want %q", cfg, err, want)
		}
	}
	if _, err := etcdmember.New(whole, slog.New(slog.DiscardHandler)); err != nil {
		t.Error(err)
	}
}

func TestMemberFailsWithoutItsPort(t *testing.T) {
	cfg := etcdmember.Config{Name: "a", Dir: t.TempDir(), Client: "http://192.0.2.1:1", Peer: "http://127.0.0.1:0"}
	cfg.Peers = map[string]string{"a": "http://127.0.0.1:1"}
	m, err := etcdmember.New(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "start the etcd member in") {
		t.Errorf("Run: %v, want that it cannot start", err)
	}
}
