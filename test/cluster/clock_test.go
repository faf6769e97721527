//go:build linux

package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// A clock is the wall clock of some processes, and can be stepped. A machine's own is everybody's;
// so these processes are built with another one, for the packages that go by it. Their other clock,
// by which leases and timers go, is not touched, as it is with a real step.
type clock struct {
	t      *testing.T
	binary string
	file   string // tells by how many seconds it is off
}

// stepped is what takes the place of the clock on the wall, in the packages that go by it.
const stepped = `package %s

import (
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
	"unsafe"
)

var stepBy atomic.Int64 // seconds

func init() {
	go func() {
		for ; ; time.Sleep(5 * time.Millisecond) {
			text, _ := os.ReadFile(os.Getenv("CLUSTER_TEST_CLOCK"))
			if n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil {
				stepBy.Store(n)
			}
		}
	}()
}

// steppedNow shifts what a time says of the clock on the wall, in seconds above the 30 bits of
// nanoseconds, and not what it says of the other one.
func steppedNow() time.Time {
	t := time.Now()
	*(*uint64)(unsafe.Pointer(&t)) += uint64(stepBy.Load()) << 30
	return t
}

func steppedUntil(t time.Time) time.Duration { return t.Sub(steppedNow()) }
func steppedSince(t time.Time) time.Duration { return steppedNow().Sub(t) }
`

// newClock builds the program with a clock of its own.
func newClock(t *testing.T) *clock {
	t.Helper()
	dir := t.TempDir()
	c := &clock{t: t, binary: filepath.Join(dir, "carillon"), file: filepath.Join(dir, "step")}
	c.must(os.WriteFile(c.file, []byte("0"), 0o600))
	overlay := map[string]map[string]string{"Replace": {}}
	replace := func(path, text string) {
		copied := filepath.Join(dir, fmt.Sprintf("%d.go", len(overlay["Replace"])))
		c.must(os.WriteFile(copied, []byte(text), 0o600))
		overlay["Replace"][path] = copied
	}
	root, err := filepath.Abs("../..")
	c.must(err)
	for _, pkg := range []string{"engine", "scheduler"} {
		files, err := filepath.Glob(filepath.Join(root, "internal", pkg, "*.go"))
		c.must(err)
		for _, f := range files {
			text, err := os.ReadFile(f)
			c.must(err)
			now := strings.NewReplacer("time.Now", "steppedNow", "time.Until(", "steppedUntil(", "time.Since(", "steppedSince(").
				Replace(string(text))
			if now != string(text) && !strings.HasSuffix(f, "_test.go") {
				replace(f, now+"\nvar _ time.Time\n")
			}
		}
		replace(filepath.Join(root, "internal", pkg, "stepped.go"), fmt.Sprintf(stepped, pkg))
	}
	list, err := json.Marshal(overlay)
	c.must(err)
	c.must(os.WriteFile(filepath.Join(dir, "overlay.json"), list, 0o600))
	build := exec.Command("go", "build", "-overlay", filepath.Join(dir, "overlay.json"), "-o", c.binary, "carillon/cmd/carillon")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return c
}

func (c *clock) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

// of gives the nodes the clock.
func (c *clock) of(cluster *cluster) {
	env, err := exec.LookPath("env")
	c.must(err)
	for _, n := range cluster.nodes {
		n.program = c.binary
		n.wrap = append([]string{env, "CLUSTER_TEST_CLOCK=" + c.file}, n.wrap...)
	}
}

// step has the clock show by how much more than the machine's.
func (c *clock) step(by time.Duration) {
	c.must(os.WriteFile(c.file+".new", fmt.Append(nil, int64(by/time.Second)), 0o600))
	c.must(os.Rename(c.file+".new", c.file))
}

func TestClockStepLosesNoJobAndNoLease(t *testing.T) {
	long(t)
	t.Parallel()
	k := newClock(t)
	c := newCluster(t, 3, k.of)
	one := c.app("one")
	schedule := func(name string, due, expected time.Time) {
		c.ledger.plan(name, expected, 0, 1)
		if _, err := c.on(c.nodes[0].address()).ScheduleJob(t.Context(), request(name, due, 0, 1)); err != nil {
			t.Fatal(err)
		}
		c.ledger.ack(name)
	}
	c.tick(15)
	ctx, end := context.WithCancel(t.Context())
	var users sync.WaitGroup
	users.Go(func() { // who give every node something to do: one that has nothing looks at the clock once a minute
		for i := 0; ctx.Err() == nil; i++ {
			_ = c.schedule(ctx, c.nodes[i%3].address(), fmt.Sprintf("one/kept-%d", i), never(), 0, 0)
			pause(ctx, 50*time.Millisecond)
		}
	})
	t.Cleanup(func() { end(); users.Wait() })
	time.Sleep(3 * time.Second)
	_, lists := one.known()
	all := func(what string) time.Duration {
		t.Helper()
		return eventually(t, what, func(context.Context) error {
			if n, such := c.ledger.missing(); n > 0 {
				return fmt.Errorf("%d are missing, such as %s", n, such)
			}
			return nil
		})
	}

	// Back: nothing is due any more for an hour.
	k.step(-time.Hour)
	time.Sleep(time.Second)
	since := time.Now()
	for i := range 20 {
		due := since.Add(time.Second)
		schedule(fmt.Sprintf("one/soon-%d", i), due, due)
	}
	time.Sleep(3 * time.Second)
	if n := c.ledger.came(since, ""); n > 0 {
		t.Errorf("%d triggers came an hour early by the clock on the wall", n)
	}
	c.healthy()

	// To where it was: what was missed comes.
	k.step(0)
	logf(t, "after a step back and forward again, all had come after %v", all("what was missed comes"))

	// Forward: what is due in half an hour is due.
	for i := range 20 {
		schedule(fmt.Sprintf("one/later-%d", i), time.Now().Add(30*time.Minute), time.Now())
	}
	time.Sleep(time.Second)
	if n, _ := c.ledger.missing(); n != 20 {
		t.Errorf("%d of 20 jobs that are due in half an hour are missing before the step", n)
	}
	k.step(time.Hour)
	logf(t, "after a step forward by an hour, what was due in half an hour had come after %v", all("what is due comes"))
	c.healthy()
	if _, now := one.known(); now != lists {
		t.Errorf("there were %d lists of hosts meanwhile: a step of the clock is no reason for one", now-lists)
	}
	end()
	users.Wait()
	c.close("one")
}
