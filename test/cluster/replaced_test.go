//go:build linux

package cluster

import (
	"os"
	"strings"
	"testing"
	"time"
)

func TestNodeWithReplacedDataDirectoryEnds(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3)
	c.app("one")
	c.tick(40)
	z := c.nodes[2]
	c.ledger.disturb(z.id)
	begin := time.Now()
	if err := os.Rename(z.dir, z.dir+".old"); err != nil {
		t.Fatal(err)
	}
	code := z.p.wait(t)
	logf(t, "a node whose data directory was renamed ended after %v with %d", time.Since(begin), code)
	if out := z.p.output(); code != 1 || !strings.Contains(out, "the data directory or a file in it was deleted, moved or replaced") {
		t.Errorf("it ended with %d and said %s", code, last(out))
	}
	since := time.Now()
	time.Sleep(5 * time.Second)
	if n := c.ledger.came(since, ""); n == 0 {
		t.Error("the others do not go on")
	}
	_ = os.RemoveAll(z.dir) // what it may have written there while it ended
	if err := os.Rename(z.dir+".old", z.dir); err != nil {
		t.Fatal(err)
	}
	z.start()
	logf(t, "when its directory was back and it was started again, all were healthy after %v", c.healthy())
	c.ledger.settle(z.id)
	c.close()
}
