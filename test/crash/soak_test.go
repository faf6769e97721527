package crash_test

import (
	"context"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
)

// A reading is what a node holds at one moment.
type reading struct {
	goroutines, memory, handles, disk float64
}

// read takes a reading.
func (n *node) read(t *testing.T, dir string) reading {
	t.Helper()
	r := reading{
		goroutines: n.metric(t, "go_goroutines"), memory: n.metric(t, "process_resident_memory_bytes"),
		handles: n.metric(t, "process_open_fds"),
	}
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if info, err := d.Info(); err == nil { // else it has just been removed
			r.disk += float64(info.Size())
		}
		return nil
	})
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return r
}

// most returns the greatest of each part of two readings.
func (r reading) most(s reading) reading {
	return reading{max(r.goroutines, s.goroutines), max(r.memory, s.memory), max(r.handles, s.handles), max(r.disk, s.disk)}
}

func (r reading) String() string {
	return fmt.Sprintf("%.0f goroutines, %.1f MiB, %.0f file handles, %.1f MiB on disk", r.goroutines, r.memory/(1<<20), r.handles, r.disk/(1<<20))
}

// grown names what is more in r than it may be after before.
func (r reading) grown(before reading) string {
	var grown []string
	for _, part := range []struct {
		name               string
		now, before, spare float64
	}{
		{"goroutines", r.goroutines, before.goroutines, 20},
		{"memory", r.memory, before.memory, 32 << 20},
		{"file handles", r.handles, before.handles, 20},
		{"disk", r.disk, before.disk, 64 << 20},
	} {
		if part.now > 1.2*part.before+part.spare {
			grown = append(grown, fmt.Sprintf("%s from %.0f to %.0f", part.name, part.before, part.now))
		}
	}
	return strings.Join(grown, ", ")
}

// TestSoakUsesConstantResources has a node at work for long: jobs that are due once, several times,
// for ever, and never, as they are deleted; an app that comes and goes. What it holds in the last
// third of the time may not be much more than in the second.
func TestSoakUsesConstantResources(t *testing.T) {
	text := os.Getenv("CARILLON_TEST_SOAK")
	if text == "" {
		t.Skip("a soak takes long: run `make soak`")
	}
	long, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "linux" {
		t.Skip("a node says what it holds on Linux only")
	}
	dir, w := t.TempDir(), newWorld()
	n := start(t, dir)
	w.stand(t, n, 200)
	l, visitor := w.load(t, n, 1), n.connect(t)
	begin := time.Now()
	var thirds [3]reading
	for round := 0; time.Since(begin) < long && !t.Failed(); round++ {
		visit(t, visitor)
		now := n.read(t, dir)
		third := min(2, int(3*time.Since(begin)/long))
		thirds[third] = thirds[third].most(now)
		if round%60 == 0 {
			t.Logf("after %v: %v", time.Since(begin).Round(time.Second), now)
		}
		if ok, says := n.healthy(t.Context()); !ok {
			t.Errorf("after %v it is not well: %s", time.Since(begin), says)
		}
		if late := w.forget(patience); late != "" {
			t.Errorf("after %v: %s", time.Since(begin), late)
		}
	}
	l.rest()
	w.check(t)
	n.stop(t)
	l.wait()
	if grown := thirds[2].grown(thirds[1]); grown != "" {
		t.Errorf("it grew: %s", grown)
	}
	t.Logf("%d triggers in %v; at most, in each third: %v; %v; %v", w.came, time.Since(begin).Round(time.Second), thirds[0], thirds[1], thirds[2])
}

// stand schedules jobs that are due each second for ever.
func (w *world) stand(t *testing.T, n *node, jobs int) {
	t.Helper()
	c := n.connect(t)
	for i := range jobs {
		name := fmt.Sprint("standing-", i)
		j := &job{first: time.Now().Round(0), every: time.Second, times: math.MaxInt32, acked: true, mayBeGone: true, lastLife: -1}
		w.mu.Lock()
		w.jobs[name] = j
		w.mu.Unlock()
		if _, err := c.ScheduleJob(t.Context(), j.request(apps()[i%len(apps())], name)); err != nil {
			t.Fatal(err)
		}
	}
}

// visit has an app connect that is away again after a second, without an answer to all that it got.
func visit(t *testing.T, c schedulerv1.SchedulerClient) {
	t.Helper()
	const app = "visitor"
	for i := range 20 {
		now, overwrite := time.Now().UTC().Format(time.RFC3339Nano), true
		if _, err := c.ScheduleJob(t.Context(), &schedulerv1.ScheduleJobRequest{
			Name: fmt.Sprint(app, i), Job: &schedulerv1.Job{DueTime: &now}, Metadata: metadata(app), Overwrite: overwrite,
		}); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	watch(ctx, c, app, func(r *schedulerv1.WatchJobsResponse) bool { return r.GetId()%3 > 0 })
}

// forget drops what is over, so that a soak may take as long as it likes. It returns a job that is later than patience
// allows, or "".
func (w *world) forget(patience time.Duration) (late string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for name, j := range w.jobs {
		switch last := j.first.Add(time.Duration(j.times-1) * j.every); {
		case !j.acked || time.Since(last) < patience:
		case j.came >= j.times || j.mayBeGone:
			delete(w.jobs, name)
		default:
			late = fmt.Sprintf("%s, due for the last time at %v, came %d times of %d", name, last, j.came, j.times)
		}
	}
	return late
}
