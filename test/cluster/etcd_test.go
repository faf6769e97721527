//go:build linux

package cluster

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/anypb"
)

// An etcd is one that is no part of any node. It wants a certificate, a user and a password.
type etcd struct {
	t        *testing.T
	endpoint string
	cert     certificate
	config   *embed.Config
	running  *embed.Etcd
}

const user, password = "root", "open sesame"

// external starts an etcd, until the test ends.
func external(t *testing.T) *etcd {
	t.Helper()
	e := &etcd{t: t, cert: certify(t), config: embed.NewConfig()}
	e.endpoint = fmt.Sprintf("https://127.0.0.1:%d", port(t))
	parse := func(text string) []url.URL {
		u, err := url.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		return []url.URL{*u}
	}
	c := e.config
	c.Dir = t.TempDir()
	c.ListenClientUrls = parse(e.endpoint)
	c.AdvertiseClientUrls = c.ListenClientUrls
	c.ListenPeerUrls = parse(fmt.Sprintf("http://127.0.0.1:%d", port(t)))
	c.AdvertisePeerUrls = c.ListenPeerUrls
	c.InitialCluster = c.Name + "=" + c.ListenPeerUrls[0].String()
	c.ClientTLSInfo.CertFile, c.ClientTLSInfo.KeyFile = e.cert.cert, e.cert.key
	c.ClientTLSInfo.TrustedCAFile, c.ClientTLSInfo.ClientCertAuth = e.cert.authority, true
	c.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zap.NewNop())
	e.start()
	t.Cleanup(e.stop)
	secure, err := c.ClientTLSInfo.ClientConfig()
	if err != nil {
		t.Fatal(err)
	}
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{e.endpoint}, TLS: secure, Logger: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	_, err1 := client.UserAdd(t.Context(), user, password)
	_, err2 := client.UserGrantRole(t.Context(), user, "root")
	_, err3 := client.AuthEnable(t.Context())
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	return e
}

func (e *etcd) start() {
	e.t.Helper()
	running, err := embed.StartEtcd(e.config)
	if err != nil {
		e.t.Fatal(err)
	}
	e.running = running
	select {
	case <-running.Server.ReadyNotify():
	case <-time.After(patience):
		e.t.Fatal("etcd does not start")
	}
}

func (e *etcd) stop() {
	e.running.Server.Stop()
	e.running.Close()
}

// etcd returns a client of the node's own etcd, for its caller to close.
func (n *node) etcd() *clientv3.Client {
	n.c.t.Helper()
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{n.etcdAt()}, Logger: zap.NewNop()})
	if err != nil {
		n.c.t.Fatal(err)
	}
	return client
}

func (n *node) etcdAt() string { return fmt.Sprintf("http://%s:%d", n.host, n.client) }

// leader returns the node whose etcd leads the others.
func (c *cluster) leader() *node {
	c.t.Helper()
	var found *node
	eventually(c.t, "a node leads etcd", func(ctx context.Context) error {
		for _, n := range c.nodes {
			client := n.etcd()
			bounded, cancel := context.WithTimeout(ctx, time.Second)
			st, err := client.Status(bounded, n.etcdAt())
			cancel()
			client.Close()
			if err == nil && st.Leader == st.Header.MemberId {
				found = n
				return nil
			}
		}
		return errors.New("none says so")
	})
	return found
}

// elected waits until the node's etcd follows a leader, other than the one that led before, and
// returns how long that took.
func (n *node) elected(before uint64) time.Duration {
	n.c.t.Helper()
	client := n.etcd()
	defer client.Close()
	return eventually(n.c.t, "etcd has a leader", func(ctx context.Context) error {
		st, err := client.Status(ctx, n.etcdAt())
		if err == nil && (st.Leader == 0 || st.Leader == before) {
			err = errors.New("it has none")
		}
		return err
	})
}

// leads returns the number of the member that leads, as the node's etcd says.
func (n *node) leads() uint64 {
	n.c.t.Helper()
	client := n.etcd()
	defer client.Close()
	st, err := client.Status(n.c.t.Context(), n.etcdAt())
	if err != nil {
		n.c.t.Fatal(err)
	}
	return st.Leader
}

// flags are those with which a node uses it.
func (e *etcd) flags() []string {
	return append([]string{
		"--etcd-embed=false", "--etcd-client-endpoints", e.endpoint,
		"--etcd-client-username", user, "--etcd-client-password", password,
	}, e.cert.flags()...)
}

func TestClusterOnExternalEtcdWithTLSAndPasswords(t *testing.T) {
	long(t)
	t.Parallel()
	e := external(t)
	c, l := loaded(t, 3, with(e.flags()...))
	at := time.Now()
	c.nodes[0].kill()
	time.Sleep(5 * time.Second)
	logf(t, "kill -9 of a node on an external etcd: the latest trigger was late by %v", c.ledger.latest(at, time.Now()))
	c.nodes[0].start()
	c.healthy()
	c.ledger.settle(c.nodes[0].id)

	for _, n := range c.nodes {
		c.ledger.disturb(n.id)
	}
	e.stop()
	for _, n := range c.nodes {
		n.unhealthy()
	}
	c.nodes[1].refuses("one/refused")
	e.start()
	logf(t, "when the external etcd was back, all were healthy after %v", c.healthy())
	for _, n := range c.nodes {
		c.ledger.settle(n.id)
	}
	l.finish()
}

func TestWrongEtcdPasswordIsReported(t *testing.T) {
	long(t)
	t.Parallel()
	e := external(t)
	c := prepare(t, 1, with(e.flags()...), with("--etcd-client-password", "wrong"))
	c.nodes[0].launch()
	c.nodes[0].p.says(t, "authentication failed, invalid user ID or password")
}

func TestSecondProcessWithSameIDWaits(t *testing.T) {
	long(t)
	t.Parallel()
	e := external(t)
	c, l := loaded(t, 2, with(e.flags()...))
	a := c.nodes[0]
	twin := *a
	twin.port, twin.health, twin.metrics = port(t), port(t), port(t)
	c.nodes = append(c.nodes, &twin) // it has an address of its own, and no line in the list of members
	twin.spare = true
	twin.start()
	twin.p.says(t, "waiting for the previous lease of this node's ID to end")
	time.Sleep(3 * time.Second)
	if twin.check() == nil {
		t.Error("the second of two processes with one id is healthy")
	}
	if err := a.check(); err != nil {
		t.Errorf("the first of two processes with one id is not healthy: %v", err)
	}
	a.kill()
	logf(t, "when the first of two processes with one id was killed, the second was healthy after %v", c.healthy(&twin))
	time.Sleep(time.Second)
	l.finish()
}

func TestMembersUseTLSBetweenThem(t *testing.T) {
	long(t)
	t.Parallel()
	cert := certify(t)
	c := prepare(t, 3, with(cert.flags()...))
	with("--etcd-initial-cluster", c.members("https"))(c)
	for _, n := range c.nodes {
		n.start()
	}
	c.healthy()
	c.app("one")
	l := c.load(4, c.addresses, "one")
	time.Sleep(2 * time.Second)
	c.nodes[2].stop()
	c.nodes[2].start()
	c.healthy()
	c.replace()
	time.Sleep(time.Second)
	l.finish()
}

// quota is that of an etcd that is about to be full.
const quota = "16Mi"

// store has some node store a job of 100 kB.
func (c *cluster) store(i int) error {
	ctx, cancel := context.WithTimeout(c.t.Context(), callTime)
	defer cancel()
	q := request(fmt.Sprintf("big/%d", i), never(), 0, 1)
	q.Job.Data = &anypb.Any{Value: make([]byte, 100_000)}
	_, err := c.on(c.nodes[i%len(c.nodes)].address()).ScheduleJob(ctx, q)
	return err
}

// full reports whether err means that there is no space.
func full(err error) bool {
	return status.Code(err) == codes.Unknown && strings.Contains(err.Error(), "database space exceeded")
}

// tick schedules 20 jobs that are due every second.
func (c *cluster) tick(times int) {
	c.t.Helper()
	first := time.Now().Add(time.Second)
	for i := range 20 {
		if err := c.schedule(c.t.Context(), c.nodes[0].address(), fmt.Sprintf("one/%d", i), first, time.Second, times); err != nil {
			c.t.Fatal(err)
		}
	}
}

// empty removes what store has stored.
func (c *cluster) empty() time.Duration {
	c.t.Helper()
	return eventually(c.t, "the jobs are deleted", func(ctx context.Context) error {
		_, err := c.on(c.nodes[0].address()).DeleteByMetadata(ctx, &schedulerv1.DeleteByMetadataRequest{Metadata: meta("big")})
		return err
	})
}

func TestFullEtcdRefusesJobsFiresAndRecovers(t *testing.T) {
	long(t)
	t.Parallel()
	c := newCluster(t, 3, with("--etcd-space-quota", quota))
	c.app("one")
	c.tick(40)
	n := 0
	eventually(t, "a full etcd refuses a job", func(context.Context) error {
		n++
		err := c.store(n)
		if n > 80 { // slower, so that the reserved eighth is not used up between two checks
			time.Sleep(300 * time.Millisecond)
		}
		if full(err) {
			return nil
		}
		return fmt.Errorf("the last of %d: %w", n, err)
	})
	logf(t, "a job was refused after %d of 100 kB on a quota of %s", n, quota)
	since := time.Now()
	for _, n := range c.nodes {
		n.unhealthy() // each looks by itself
		if err := n.check(); err == nil || !strings.Contains(err.Error(), "new jobs are refused") {
			t.Errorf("a node that refuses new jobs says of its health: %v", err)
		}
		if v, err := n.metric("carillon_store_full"); err != nil || v != 1 {
			t.Errorf("carillon_store_full is %v, %v", v, err)
		}
	}
	time.Sleep(5 * time.Second)
	if n := c.ledger.came(since, ""); n < 50 {
		t.Errorf("%d triggers came in five seconds of a full etcd, of 20 jobs every second", n)
	}
	c.empty()
	logf(t, "when they were deleted, all were healthy after %v", c.healthy())
	if err := c.store(n + 1); err != nil {
		t.Errorf("a job after the deletions: %v", err)
	}
	c.close()
}

func TestSuddenlyExceededQuotaIsRecovered(t *testing.T) {
	long(t)
	t.Parallel()
	c := newCluster(t, 3, with("--etcd-space-quota", quota))
	c.app("one")
	c.tick(40)
	var users sync.WaitGroup
	for u := range 8 {
		users.Go(func() {
			for i := u; i < 400 && !full(c.store(i)); i += 8 {
			}
		})
	}
	users.Wait()
	red := c.nodes[0].unhealthy()
	logf(t, "a quota of %s was exceeded at once: unhealthy after %v", quota, red)
	logf(t, "the deletions took %v, and then all were healthy after %v", c.empty(), c.healthy())
	if err := c.store(1000); err != nil {
		t.Errorf("a job after the deletions: %v", err)
	}
	c.close()
}

// Another client of etcd takes all the space, so the nodes can free none.
func TestOneShotsFireOnceWhileEtcdTakesDeletions(t *testing.T) {
	long(t)
	t.Parallel()
	c := newCluster(t, 3, with("--etcd-space-quota", quota))
	c.app("one")
	c.tick(60)
	first := time.Now().Add(10 * time.Second)
	due := func(shot int) time.Time { return first.Add(time.Duration(shot) * 100 * time.Millisecond) }
	const all = 200
	for i := range all {
		if err := c.schedule(t.Context(), c.nodes[0].address(), fmt.Sprintf("one/shot%d", i), due(i), 0, 1); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.store(1); err != nil {
		t.Fatal(err)
	}
	client := c.nodes[0].etcd()
	defer client.Close()
	for i := 0; ; i++ {
		_, err := client.Put(t.Context(), fmt.Sprint("other/", i), strings.Repeat("x", 100_000))
		if errors.Is(err, rpctypes.ErrNoSpace) {
			break
		}
		if err != nil || i > 1000 {
			t.Fatalf("after %d: %v", i, err)
		}
	}
	since := time.Now()
	for _, n := range c.nodes {
		n.unhealthy()
	}
	time.Sleep(time.Until(due(all / 2)))
	shots, owed, missing := 0, 0, 0
	for i, before := 0, time.Now().Add(-2*time.Second); i < all; i++ {
		came := c.ledger.times(fmt.Sprintf("one/shot%d", i), since)
		shots += came
		if due(i).After(since) && due(i).Before(before) {
			owed++
			if came == 0 {
				missing++
			}
		}
	}
	if missing > 0 || owed < 20 {
		t.Errorf("of %d one-shots that fell due two seconds ago or earlier, %d did not come", owed, missing)
	}
	if n := c.ledger.came(since, "") - shots; n > 3*20 {
		t.Errorf("%d triggers of 20 jobs came whose outcome cannot be recorded", n)
	}
	if err := c.store(2); !full(err) {
		t.Errorf("a new job: %v", err)
	}
	logf(t, "a job was deleted after %v", c.empty())
	alarms, err := client.AlarmList(t.Context())
	if err != nil || len(alarms.Alarms) == 0 {
		t.Errorf("etcd has no alarm: %v", err)
	}
	if v, err := c.nodes[0].metric("carillon_redeliveries_total"); err != nil || v > 0 {
		t.Errorf("a node has delivered %v triggers again, %v", v, err)
	}

	if _, err := client.Delete(t.Context(), "other/", clientv3.WithPrefix()); err != nil {
		t.Fatal(err)
	}
	logf(t, "when there was space, all were healthy after %v", c.healthy())
	if err := c.store(3); err != nil {
		t.Errorf("a job with free space again: %v", err)
	}
	c.close()
}

func TestBackupOfRunningClusterFiresInNewOne(t *testing.T) {
	long(t)
	t.Parallel()
	file := filepath.Join(t.TempDir(), "jobs.archive")
	carry := func(what string, n *node) {
		t.Helper()
		p := start(t, what, binary, what, file, "--etcd", n.etcdAt())
		if code := p.wait(t); code != 0 {
			t.Fatalf("carillon %s ended with %d: %s", what, code, p.output())
		}
	}
	old := newCluster(t, 3)
	due := time.Now().Add(10 * time.Second)
	for i := range 20 {
		if err := old.schedule(t.Context(), old.nodes[0].address(), fmt.Sprintf("one/%d", i), due, 0, 1); err != nil {
			t.Fatal(err)
		}
	}
	carry("backup", old.nodes[1])
	for _, n := range old.nodes {
		n.kill()
	}
	c := newCluster(t, 3)
	c.ledger = old.ledger
	carry("restore", c.nodes[2])
	c.app("one")
	for _, n := range c.nodes {
		n.stop()
		n.start()
		c.healthy()
	}
	c.close()
}

func TestNodeWithLostDataIsReplaced(t *testing.T) {
	long(t)
	t.Parallel()
	c, l := loaded(t, 3)
	c.replace()
	time.Sleep(2 * time.Second)
	l.finish()
}

// replace has the last node lose its folder, and replaces it.
func (c *cluster) replace() {
	c.t.Helper()
	a, z := c.nodes[0], c.nodes[len(c.nodes)-1]
	z.kill()
	z.lose()
	z.launch()
	if code := z.p.wait(c.t); code != 1 || !strings.Contains(z.p.output(), "carillon member replace") {
		c.t.Errorf("a node that has lost its folder ended with %d and said %s", code, last(z.p.output()))
	}
	p := start(c.t, "member replace", binary, "member", "replace", z.id, "--etcd", a.etcdAt())
	if code := p.wait(c.t); code != 0 {
		c.t.Fatalf("carillon member replace ended with %d: %s", code, p.output())
	}
	z.lose()
	z.start()
	logf(c.t, "a node that was replaced was healthy after %v", c.healthy())
	c.ledger.settle(z.id)
}
