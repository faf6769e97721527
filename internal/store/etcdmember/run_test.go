package etcdmember

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/client/pkg/v3/types"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/etcdserver/api/membership"
	"go.etcd.io/etcd/server/v3/storage/wal"
	"go.uber.org/zap"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"carillon/internal/logtest"
	"carillon/internal/store"
	"carillon/internal/store/datadir"
)

// TestMain makes etcd's log files small. A member that has failed may still read their size while the next test runs.
func TestMain(m *testing.M) {
	wal.SegmentSizeBytes = 1 << 20
	m.Run()
}

// atFree returns an address of loopback that nobody listens on.
func atFree(t *testing.T) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return "http://" + l.Addr().String()
}

// alone describes a cluster of one that starts in a fraction of a second. It grants no leases:
// those are real time, and lost on a machine that is busy with other tests.
func alone(t *testing.T, name string) Config {
	t.Helper()
	return Config{
		Name: name, Dir: filepath.Join(t.TempDir(), "data"), NoSync: true, Client: atFree(t), Peer: atFree(t),
		Heartbeat: 50 * time.Millisecond, Election: 500 * time.Millisecond, TickAdvance: true,
	}
}

// A life is a member that runs.
type life struct {
	*Member
	page  *logtest.Page
	stop  context.CancelFunc
	ended chan error
}

// live begins the life of a member, which ends with the test.
func live(t *testing.T, cfg Config) *life {
	t.Helper()
	l := &life{page: new(logtest.Page), ended: make(chan error, 1)}
	m, err := New(cfg, slog.New(slog.NewTextHandler(l.page, &slog.HandlerOptions{Level: store.LevelTrace})))
	if err != nil {
		t.Fatal(err)
	}
	l.Member = m
	var ctx context.Context
	ctx, l.stop = context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan struct{})
	go func() {
		defer close(done)
		l.ended <- m.Run(ctx)
	}()
	t.Cleanup(func() { l.stop(); <-done })
	return l
}

func (l *life) put(ctx context.Context) error {
	_, err := l.KV().Put(ctx, &etcdserverpb.PutRequest{Key: []byte("key"), Value: []byte("value")})
	return err
}

// serves waits until the member takes writes.
func (l *life) serves(t *testing.T) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); l.put(t.Context()) != nil; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the member does not serve: %v\n%s", l.put(t.Context()), l.page)
		}
	}
}

// end waits for the end of the member, and returns what that was.
func (l *life) end(t *testing.T) error {
	t.Helper()
	select {
	case err := <-l.ended:
		return err
	case <-time.After(20 * time.Second):
		t.Fatalf("the member does not end\n%s", l.page)
		return nil
	}
}

// connectSilently connects to a member, and says nothing: etcd waits for that without an end.
func connectSilently(t *testing.T, cfg Config) (hangUp func()) {
	t.Helper()
	var all []net.Conn
	for _, at := range []string{cfg.Client, cfg.Peer} {
		c, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(at, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		all = append(all, c)
	}
	return func() {
		for _, c := range all {
			c.Close()
		}
	}
}

// atStart is what etcd says when it is asked for its version before it has one.
const atStart = "failed to update storage version"

// wantSilence checks that the member has said nothing but for what etcd says of itself, and lines
// that hold one of the parts.
func (l *life) wantSilence(t *testing.T, but ...string) {
	t.Helper()
	const ofItself = "level=DEBUG-4 msg=etcd component=etcd event="
	if !strings.Contains(l.page.String(), ofItself) {
		t.Error("what etcd says of itself is not in the log")
	}
next:
	for line := range strings.Lines(l.page.String()) {
		for _, part := range append(but, ofItself) {
			if strings.Contains(line, part) {
				continue next
			}
		}
		t.Errorf("the log says %s", line)
	}
}

func unavailable(err error) bool { return status.Code(err) == codes.Unavailable }

func TestStoppedMemberReleasesEverything(t *testing.T) {
	cfg := alone(t, "m")
	l := live(t, cfg)
	l.serves(t)
	if l.YieldLeadership(t.Context()); l.running.Load().Server.Leader() != l.running.Load().Server.MemberID() {
		t.Error("a member that is alone has yielded to somebody")
	}
	soon, cancel := context.WithTimeout(t.Context(), noLeaderTime+noLeaderTime/5)
	defer cancel()
	if l.WaitNoLeader(soon) {
		t.Error("a member that leads says that there is no leader")
	}
	if err := l.Full(); err != nil {
		t.Errorf("Full() = %v", err)
	}
	all, err := Members(t.Context(), cfg.Client)
	if diff := cmp.Diff([]MemberStatus{{Name: "m", Peers: []string{cfg.Peer}, Leader: true, Answer: "yes"}}, all); err != nil || diff != "" {
		t.Errorf("the members, %v (-want +got):\n%s", err, diff)
	}
	c, err := clientv3.New(clientv3.Config{Endpoints: []string{cfg.Client}, Logger: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if got, err := c.Get(t.Context(), "key"); err != nil || len(got.Kvs) != 1 || string(got.Kvs[0].Value) != "value" {
		t.Errorf("a client reads %v, %v", got, err)
	}
	second, err := New(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := second.Run(t.Context()); err == nil || err.Error() != fmt.Sprintf("start the etcd member in %q: %v", cfg.Dir, errInUse) {
		t.Errorf("a second member in the data directory ended with %v", err)
	}
	watching := c.Watch(t.Context(), "key") // a stream does not hold up the end, nor a connection that says nothing
	hangUp := connectSilently(t, cfg)
	l.stop()
	begun := time.Now()
	if err := l.end(t); err != nil {
		t.Errorf("a member that is stopped ends with %v", err)
	}
	if took := time.Since(begun); took > failedStopTimeout/2 {
		t.Errorf("to stop took %v", took)
	}
	select {
	case <-l.running.Load().Server.StopNotify():
	default:
		t.Error("etcd runs on behind a member that has ended")
	}
	hangUp()
	_ = watching
	if err := l.put(t.Context()); !unavailable(err) {
		t.Errorf("a write to a member that has stopped: %v", err)
	}
	l.wantSilence(t, atStart)
	for _, at := range []string{cfg.Client, cfg.Peer} {
		// It closes its connections behind Run.
		for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
			listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", strings.TrimPrefix(at, "http://"))
			if err == nil {
				listener.Close()
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("after the end it listens: %v", err)
			}
		}
	}

	// It goes on with what it has, at another address.
	moved := atFree(t)
	cfg.Peers = map[string]string{"m": moved}
	l = live(t, cfg)
	l.serves(t)
	announced := fmt.Sprintf(`level=INFO msg="announced a new address of this etcd member" component=etcd before=[%s] now=[%s]`, cfg.Peer, moved)
	for deadline := time.Now().Add(20 * time.Second); !strings.Contains(l.page.String(), announced); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the log says\n%s, want %s", l.page, announced)
		}
	}
	if known := l.running.Load().Server.Cluster().Member(l.running.Load().Server.MemberID()); len(known.PeerURLs) != 1 || known.PeerURLs[0] != moved {
		t.Errorf("the others find it at %q, want %s", known.PeerURLs, moved)
	}
	if r, err := l.KV().Range(t.Context(), &etcdserverpb.RangeRequest{Key: []byte("key")}); err != nil || r.Count != 1 || r.Kvs[0].Version < 2 {
		t.Errorf("what was written before reads as %v, %v", r, err)
	}
	l.stop()
	if err := l.end(t); err != nil {
		t.Error(err)
	}
	l.wantSilence(t, announced, atStart)
}

func TestMemberServesNothingBeforeRun(t *testing.T) {
	m, err := New(alone(t, "m"), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.KV().Range(t.Context(), new(etcdserverpb.RangeRequest)); !unavailable(err) {
		t.Errorf("a read: %v", err)
	}
	m.YieldLeadership(t.Context())
	soon, cancel := context.WithTimeout(t.Context(), noLeaderTime+noLeaderTime/5)
	defer cancel()
	if m.WaitNoLeader(soon) {
		t.Error("it says that there is no leader")
	}
}

func TestMemberReturnsReasonOfFailure(t *testing.T) {
	for _, c := range []struct {
		name  string
		do    func(l *life, dir string) error
		want  string // of a member in the data directory %q
		is    error
		hears bool // a connection that says nothing
		most  time.Duration
	}{
		{
			name: "the lock is deleted", want: "the etcd member in %q has failed: ", is: datadir.ErrReplaced, hears: true, most: failedStopTimeout / 2,
			do: func(l *life, dir string) error {
				if err := os.Remove(filepath.Join(dir, lockFile)); err != nil {
					return err
				}
				if err := l.put(context.Background()); !unavailable(err) || !strings.Contains(err.Error(), datadir.ErrReplaced.Error()) { //nolint:forbidigo // it ends with the member
					return fmt.Errorf("a write is not refused: %w", err)
				}
				select {
				case <-l.failed:
					return nil
				default:
					return errors.New("the member goes on")
				}
			},
		},
		{
			name: "its data is deleted while it is idle", want: "the etcd member in %q has failed: ", is: datadir.ErrReplaced, most: failedStopTimeout * 3 / 4,
			do: func(_ *life, dir string) error {
				return os.Rename(filepath.Join(dir, "member", "snap"), filepath.Join(dir, "snap"))
			},
		},
		{
			name: "it has failed", hears: true, most: failedStopTimeout + 2*time.Second,
			want: "the etcd member in %q has failed; acknowledged data is safe: free space on its disk or repair the disk, and restart: broken",
			do:   func(l *life, _ string) error { l.fail(errors.New("broken")); return nil },
		},
		{
			name: "it has stopped", most: failedStopTimeout / 2,
			want: "the etcd member in %q has failed; acknowledged data is safe: free space on its disk or repair the disk, and restart: " +
				"etcd has stopped: another member may have removed it from the cluster",
			do: func(l *life, _ string) error { l.running.Load().Server.HardStop(); return nil },
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := alone(t, "m")
			l := live(t, cfg)
			l.serves(t)
			if c.hears {
				connectSilently(t, cfg)
			}
			if err := c.do(l, cfg.Dir); err != nil {
				t.Fatal(err)
			}
			begun := time.Now()
			if c.hears && c.is == nil {
				for _, err := l.KV().Range(t.Context(), &etcdserverpb.RangeRequest{Key: []byte("key")}); !unavailable(err) || !strings.Contains(err.Error(), "does not serve"); {
					if time.Since(begun) > failedStopTimeout/2 {
						t.Fatalf("while it stops it takes calls: %v", err)
					}
					time.Sleep(5 * time.Millisecond)
					_, err = l.KV().Range(t.Context(), &etcdserverpb.RangeRequest{Key: []byte("key")})
				}
			}
			err := l.end(t)
			if err == nil || !strings.HasPrefix(err.Error(), fmt.Sprintf(c.want, cfg.Dir)) || c.is != nil && !errors.Is(err, c.is) {
				t.Errorf("it ends with %v, want %s", err, c.want)
			}
			if c.is != nil && err != nil && !strings.HasSuffix(err.Error(), "; if its data is lost, the other members have it: run 'carillon member replace' on the machine of another member") {
				t.Errorf("it ends with %v, want what to do", err)
			}
			if took := time.Since(begun); took > c.most {
				t.Errorf("to end took %v, want %v at most", took, c.most)
			}
			again, err := lockDir(cfg.Dir)
			if err != nil {
				t.Fatalf("the data directory is not let go: %v", err)
			}
			if err := again.close(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestMemberStartErrorSaysWhy(t *testing.T) {
	broken := errors.New("broken")
	for _, c := range []struct {
		name   string
		change func(*Config, *Member)
		want   string
	}{
		{"it has no certificate", func(_ *Config, m *Member) { m.waitTLS = func(context.Context) error { return broken } }, "start the etcd member in %q: broken"},
		{"its folder is a file", func(cfg *Config, m *Member) {
			m.config.Dir = cfg.Dir + "/x"
			cfg.Dir += "/x"
			_ = os.WriteFile(filepath.Dir(cfg.Dir), nil, 0o600)
		}, "start the etcd member in %q: "},
	} {
		cfg := alone(t, "m")
		m, err := New(cfg, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		c.change(&cfg, m)
		if err := m.Run(t.Context()); err == nil || !strings.HasPrefix(err.Error(), fmt.Sprintf(c.want, cfg.Dir)) {
			t.Errorf("%s: Run = %v, want %s", c.name, err, c.want)
		}
	}
	cfg := alone(t, "m")
	m, err := New(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	m.waitTLS = func(ctx context.Context) error { cancel(); return ctx.Err() }
	if err := m.Run(ctx); err != nil {
		t.Errorf("one that is stopped while it waits for its certificate ends with %v", err)
	}
}

// TestMemberWithoutDataMustBeReplaced has another member remember it.
func TestMemberWithoutDataMustBeReplaced(t *testing.T) {
	cfg := alone(t, "m")
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Etcd-Cluster-ID", "1")
		known := membership.NewMember("m", types.MustNewURLs([]string{cfg.Peer}), "carillon", nil)
		known.ClientURLs = []string{cfg.Client}
		_ = json.NewEncoder(w).Encode([]*membership.Member{known})
	}))
	defer s.Close()
	cfg.Peers = map[string]string{"m": cfg.Peer, "other": s.URL}
	m, err := New(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Run(t.Context()); err == nil || err.Error() != fmt.Sprintf("start the etcd member in %q: %v", cfg.Dir, errLostData) {
		t.Errorf("Run = %v, want %v", err, errLostData)
	}
}

func TestLeaderYieldsLeadership(t *testing.T) {
	a, b := alone(t, "a"), alone(t, "b")
	a.Peers = map[string]string{"a": a.Peer, "b": b.Peer}
	b.Peers = a.Peers
	first, second := live(t, a), live(t, b)
	first.serves(t)
	second.serves(t)
	leads := func(l *life) bool {
		s := l.running.Load().Server
		return s.Leader() == s.MemberID()
	}
	leader, other := first, second
	if leads(second) {
		leader, other = second, first
	}
	other.YieldLeadership(t.Context())
	if !leads(leader) {
		t.Error("a member that does not lead took the lead away from the one that does")
	}
	begun := time.Now()
	leader.YieldLeadership(t.Context())
	if took := time.Since(begun); took > 2*yieldTimeout {
		t.Errorf("to yield took %v", took)
	}
	if leads(leader) || !leads(other) {
		t.Error("the other member does not lead")
	}
	other.stop()
	if err := other.end(t); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if !leader.WaitNoLeader(ctx) {
		t.Error("without a majority there is a leader")
	}
	leader.stop()
	if err := leader.end(t); err != nil {
		t.Error(err)
	}
}
