package etcdmember_test

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"carillon/internal/store/etcdmember"
	"carillon/internal/store/etcdmember/etcdtest"
)

func TestMembersErrorNamesEndpoint(t *testing.T) {
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	endpoint := "http://" + l.Addr().String()
	for what, ask := range map[string]func(context.Context) error{
		"list":    func(ctx context.Context) error { _, err := etcdmember.Members(ctx, endpoint); return err },
		"replace": func(ctx context.Context) error { return etcdmember.Replace(ctx, endpoint, "b") },
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		err := ask(ctx)
		if cancel(); err == nil || !strings.Contains(err.Error(), "a majority of the schedulers must run") {
			t.Errorf("%s, of one that does not answer: %v, want that the others are to be started", what, err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := etcdmember.Members(t.Context(), endpoint); err == nil || !strings.Contains(err.Error(), endpoint) ||
		!strings.Contains(err.Error(), "start the scheduler of this machine, or give the address of its etcd with --etcd") {
		t.Errorf("list, where nobody listens: %v, want what to start", err)
	}
}

func TestMembersAreListedWithoutMajority(t *testing.T) {
	a, b := etcdtest.Config(t), etcdtest.Config(t)
	a.Name, b.Name = "a", "b"
	a.Peers = map[string]string{"a": a.Peer, "b": b.Peer}
	b.Peers = a.Peers
	started := make(chan func(), 1)
	go func() {
		_, stop := etcdtest.Run(t, b)
		started <- stop
	}()
	run(t, a)
	(<-started)()
	all, err := etcdmember.Members(t.Context(), a.Client)
	if err != nil || len(all) != 2 || all[0].Answer != "yes" || all[1].Answer == "yes" {
		t.Errorf("the members are %+v, %v, want a that answers and b that does not", all, err)
	}
	if err := etcdmember.Replace(t.Context(), a.Client, "c"); err == nil || !strings.Contains(err.Error(), `no member has the name "c": the members are ["a" "b"]`) {
		t.Errorf("Replace of one that is not there: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := etcdmember.Replace(ctx, a.Client, "b"); err == nil || !strings.Contains(err.Error(), "a majority of the schedulers must run") {
		t.Errorf("Replace without a majority: %v, want that the others are to be started", err)
	}
}
