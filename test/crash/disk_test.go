//go:build linux

package crash_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
)

// TestFullDiskIsReportedAndLosesNothing fills the disk of a node under load: first so far that new
// jobs are refused, then to the last byte, and then frees space again.
func TestFullDiskIsReportedAndLosesNothing(t *testing.T) {
	t.Parallel()
	dir := mount(t, "-t", "tmpfs", "-o", "size=320m", "tmpfs")
	w := newWorld()
	n := start(t, dir)
	l := w.load(t, n, 1)
	c := n.connect(t)
	far := plan(rand.New(rand.NewPCG(1, 1)))
	far.first = far.first.Add(24 * time.Hour)
	for _, name := range []string{"stays", "goes"} {
		if _, err := c.ScheduleJob(t.Context(), far.request("one", name)); err != nil {
			t.Fatal(err)
		}
	}

	fill(t, filepath.Join(dir, "most"), free(t, dir)-100<<20)
	var refused error
	tries, refusedJob := 0, ""
	eventually(t, "a schedule call is refused, and health is red", func() bool {
		tries++
		refusedJob = fmt.Sprint("try-", tries)
		_, refused = c.ScheduleJob(t.Context(), far.request("one", refusedJob))
		healthy, _ := n.healthy(t.Context())
		return refused != nil && !healthy
	})
	if !strings.Contains(refused.Error(), "new jobs are refused below") {
		t.Errorf("the refusal does not say that the disk is nearly full: %v", refused)
	}
	if _, err := c.DeleteJob(t.Context(), &schedulerv1.DeleteJobRequest{Name: "goes", Metadata: metadata("one")}); err != nil {
		t.Errorf("nothing can be deleted from a store that is full: %v", err)
	}

	fill(t, filepath.Join(dir, "all"), math.MaxInt64)
	select {
	case <-n.ended:
	case <-time.After(2 * time.Second):
	}
	for _, name := range []string{"most", "all"} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case <-n.ended: // its log could not be written
		if !strings.Contains(n.said.String(), "no space left on device") {
			t.Errorf("the node ended with %v, and does not say why:\n%s", n.err, n.said.String())
		}
		l.wait()
		w.over(patience)
		n = start(t, dir)
		l = w.load(t, n, 2)
		c = n.connect(t)
	default:
	}
	eventually(t, "with free space again the node is healthy and takes jobs", func() bool {
		if healthy, _ := n.healthy(t.Context()); !healthy { // a job is scheduled once: it does not overwrite
			return false
		}
		_, err := c.ScheduleJob(t.Context(), far.request("one", "accepted"))
		return err == nil
	})
	for name, there := range map[string]bool{"stays": true, "goes": false, refusedJob: false, "accepted": true} {
		if _, err := c.GetJob(t.Context(), &schedulerv1.GetJobRequest{Name: name, Metadata: metadata("one")}); (err == nil) != there {
			t.Errorf("the job %q: %v, want it there: %v", name, err, there)
		}
	}
	l.rest()
	s := w.check(t)
	n.stop(t)
	l.wait()
	t.Logf("%d jobs acknowledged, %d triggers, %d came again", s.acked, s.triggers, s.again)
}

// TestReadOnlyDiskEndsNodeAndLosesNothing has the kernel turn the disk of a node under load read-only, as
// it does when a disk fails.
func TestReadOnlyDiskEndsNodeAndLosesNothing(t *testing.T) {
	t.Parallel()
	disk, w := ext4(t, "400M"), newWorld()
	n := start(t, disk.dir)
	l := w.load(t, n, 3)
	time.Sleep(300 * time.Millisecond)
	disk.fail(t)
	select {
	case <-n.ended:
	case <-time.After(patience):
		t.Fatal("the node goes on without its disk")
	}
	l.wait()
	w.over(patience)
	said := n.said.String()
	// As the kernel has it.
	told := strings.Contains(said, "read-only file system") || strings.Contains(said, "input/output error")
	if n.cmd.ProcessState.ExitCode() != 1 || !told {
		t.Errorf("it ended with %v, want 1 and the reason:\n%s", n.err, said)
	}
	if _, err := launch(t, disk.dir); err == nil || !strings.Contains(err.Error(), "give this user the right to write there") {
		t.Errorf("started on a read-only disk: %v, want it refused, and told what to do", err)
	}
	disk.mend(t)
	n = start(t, disk.dir)
	l = w.load(t, n, 4)
	time.Sleep(300 * time.Millisecond)
	l.rest()
	s := w.check(t)
	n.stop(t)
	l.wait()
	t.Logf("%d jobs acknowledged, %d triggers, %d came again", s.acked, s.triggers, s.again)
}
