//go:build linux

package cluster

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"

	"carillon/internal/identity/identitytest"
)

// TestFullySecuredClusterLosesNothing has mTLS between sidecars and schedulers and among these, TLS
// between the members of etcd, and jobs sealed; one node is killed under it. Clients without a
// certificate, or with that of another app, are refused, and nobody reads the payloads on the
// disks.
func TestFullySecuredClusterLosesNothing(t *testing.T) {
	long(t)
	t.Parallel()
	ca := identitytest.NewAuthority(t)
	certificateFlags := func(app string) []string {
		cert, key, authority := ca.Write(t, "spiffe://localhost/ns/default/"+app, time.Hour)
		return []string{"--tls-cert-file", cert, "--tls-key-file", key, "--tls-ca-file", authority}
	}
	keys := filepath.Join(t.TempDir(), "keys")
	line := "first " + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 32)) + "\n"
	if err := os.WriteFile(keys, []byte(line), 0o600); err != nil {
		t.Fatal(err)
	}
	c := prepare(t, 3, with(certify(t).flags()...), with(certificateFlags("dapr-scheduler")...), with("--encryption-key-file", keys))
	with("--etcd-initial-cluster", c.members("https"))(c)
	for _, n := range c.nodes {
		n.start()
	}
	c.healthy()
	one, two := c.sidecar("one", certificateFlags("one")...), c.sidecar("two", certificateFlags("two")...)
	schedule := func(round string) {
		for i := range 15 {
			for _, s := range []*sidecar{one, two} {
				name, due := fmt.Sprint(round, i), time.Now().Add(time.Duration(i)*50*time.Millisecond)
				eventually(t, "a job is scheduled", func(ctx context.Context) error { return s.schedule(ctx, name, due) })
			}
		}
	}
	schedule("before")

	conn, err := dial(c.nodes[0].address())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := schedulerv1.NewSchedulerClient(conn).ListJobs(ctx, &schedulerv1.ListJobsRequest{}); err == nil {
		t.Error("a client without a certificate gets an answer")
	}
	liar := c.sidecar("liar", certificateFlags("one")...)
	short, end := context.WithTimeout(t.Context(), 2*time.Second)
	defer end()
	if err := liar.schedule(short, "lie", time.Now().Add(time.Hour)); err == nil {
		t.Error("a client with the certificate of another app schedules jobs for its own")
	}
	c.ledger.forget("liar/lie")

	c.nodes[2].kill()
	schedule("without")
	c.nodes[2].start()
	c.healthy()
	c.ledger.settle(c.nodes[2].id)
	schedule("after")
	eventually(t, "all jobs have come", func(context.Context) error {
		if n, such := c.ledger.missing(); n > 0 {
			return fmt.Errorf("%d are missing, such as %s", n, such)
		}
		return nil
	})
	for _, bad := range c.ledger.judge().bad {
		t.Error(bad)
	}
	if err := one.schedule(t.Context(), "kept", time.Now().Add(time.Hour)); err != nil {
		t.Error(err)
	}
	for _, n := range c.nodes {
		n.stop()
		if f := tells(t, n.dir); f != "" {
			t.Errorf("the payload of a job stands in %s", f)
		}
	}
}

// tells returns a file of the folder that has the payload, or "".
func tells(t *testing.T, dir string) (file string) {
	t.Helper()
	encoded := []byte(base64.StdEncoding.EncodeToString([]byte(payload)))
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if bytes.Contains(text, []byte(payload)) || bytes.Contains(text, encoded) {
			file = path
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	return file
}
