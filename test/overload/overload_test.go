//go:build linux

package overload

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"

	"carillon/internal/bench"
	"carillon/internal/bulkv1"
)

// A load is what the nodes are given.
type load struct {
	name             string
	apps, jobs       int
	payload          int
	answer           string
	lead             time.Duration // from the beginning of scheduling to the due instant
	listers, writers int           // callers at their bounds
	listed           int           // jobs of 20 kB in each list
}

// A scale is how much of everything a test does.
type scale struct {
	limit    int64         // of a node's memory
	window   time.Duration // how long the healthy app's jobs fall due, and how long another app calls
	patience time.Duration // how long no job of a load may come before the rest are given up
	back     time.Duration // how long its memory may take to fall back
	calls    time.Duration // what the p99 of the calls may be, but beside lists and bodies
	ratio    float64       // what the p99 lateness of the healthy app may be beside what it is alone; any if 0
}

// figures are what a load has shown.
type figures struct {
	name                    string
	before, most, after     int64 // memory of the node that has most, without files
	peak                    int64 // with files
	alone, beside           bench.Received
	calls                   *callTimes
	delivered, jobs, stored int
	took                    time.Duration
	lost                    int   // leases
	kills                   int64 // of nodes, by the kernel
	notes                   []string
}

func short() (scale, []load) {
	return scale{limit: 128 << 20, window: time.Second, patience: time.Minute, calls: 500 * time.Millisecond}, []load{
		{name: "a burst to a fast app", apps: 1, jobs: 10_000, payload: 64, answer: bench.AnswerSuccess, lead: time.Second},
		{name: "apps that hang", apps: 10, jobs: 10_000, payload: 64, answer: bench.AnswerNone},
		{
			name: "payloads, lists and bodies", apps: 1, jobs: 300, payload: 20_000, answer: bench.AnswerSuccess, lead: time.Second,
			listers: 2, writers: 4, listed: 200,
		},
		{name: "jobs that fail", apps: 1, jobs: 10_000, payload: 64, answer: bench.AnswerFailed, lead: time.Second},
	}
}

func long(nodes int) (scale, []load) {
	// second is the time in which one node gets what several get in more.
	burst, hung, second := 1_000_000, 10_000_000, time.Second
	if nodes > 1 { // etcd keeps an index of all jobs in memory, and 256 MiB hold 200,000
		burst, hung, second = 100_000, 100_000, 4*time.Second
	}
	s := scale{
		limit: 256 << 20, window: 10 * time.Second, patience: time.Minute, back: time.Minute, calls: 100 * time.Millisecond, ratio: 1.5,
	}
	return s, []load{
		{name: "a burst to a fast app", apps: 1, jobs: burst, payload: 64, answer: bench.AnswerSuccess, lead: 20 * second},
		{name: "apps that hang", apps: 1000, jobs: hung, payload: 64, answer: bench.AnswerNone},
		{
			name: "payloads, lists and bodies", apps: 1, jobs: 10_000, payload: 20_000, answer: bench.AnswerSuccess, lead: 5 * second,
			listers: 4, writers: 16, listed: 500, // 10 MB: a list may have 12
		},
		{name: "jobs that fail", apps: 1, jobs: 20_000, payload: 64, answer: bench.AnswerFailed, lead: 2 * second},
	}
}

// TestOverloadInLittleMemoryLosesNothing is the short form: one node, a hundredth of the load, half the memory.
func TestOverloadInLittleMemoryLosesNothing(t *testing.T) {
	s, loads := short()
	for _, l := range loads {
		t.Run(strings.ReplaceAll(l.name, " ", "-"), func(t *testing.T) {
			s.run(t, 1, l, &figures{})
		})
	}
}

// TestFullOverloadInLittleMemoryLosesNothing is the long form, on one node and on three.
func TestFullOverloadInLittleMemoryLosesNothing(t *testing.T) {
	if !everything() {
		t.Skip("it takes long: make overload runs it")
	}
	for _, nodes := range []int{1, 3} {
		t.Run(fmt.Sprintf("%d-nodes", nodes), func(t *testing.T) {
			s, loads := long(nodes)
			var all []*figures
			t.Cleanup(func() { t.Logf("%d nodes of %d MiB\n%s", nodes, s.limit>>20, table(all)) })
			for _, l := range loads {
				t.Run(strings.ReplaceAll(l.name, " ", "-"), func(t *testing.T) {
					f := &figures{}
					all = append(all, f)
					s.run(t, nodes, l, f)
				})
			}
		})
	}
}

// TestFullClusterRefusesJobsBeyondItsMemory schedules jobs until one is refused. No node may be
// killed, and no lease lost.
func TestFullClusterRefusesJobsBeyondItsMemory(t *testing.T) {
	if !everything() {
		t.Skip("it takes long: make overload runs it")
	}
	nodes := startNodes(t, 3, 256<<20)
	u := connect(t, nodes)
	most := watchMemory(t, nodes)
	sent, refused := 0, error(nil)
	for ; refused == nil && sent < 1_000_000; sent += 500 {
		message := new(bulkv1.ScheduleJobsRequest)
		for i := sent; i < sent+500; i++ {
			message.Jobs = append(message.Jobs, request("many", strconv.Itoa(i), time.Now().Add(1000*time.Hour), 64))
		}
		answer, err := u.bulk(sent/500).ScheduleJobs(t.Context(), message)
		if err != nil {
			t.Fatalf("after %d jobs: %v", sent, err)
		}
		if all := answer.GetRefused(); len(all) > 0 {
			refused = errors.New(all[0].GetMessage())
		}
	}
	t.Logf("after about %d jobs, with %d MiB at most: %v", sent, most()>>20, refused)
	if refused == nil || !strings.Contains(refused.Error(), "memory") {
		t.Errorf("the error of the first job that was refused is %v, want one that says that memory is used up", refused)
	}
	if n := lost(nodes); n > 0 {
		t.Errorf("%d leases were lost", n)
	}
	for _, n := range nodes {
		if n.group != nil && n.group.kills(t) > 0 {
			t.Error("the kernel has killed a node")
		}
	}
}

// run gives new nodes a load and writes what it sees into f. It fails the test over what is not as it was promised.
func (s scale) run(t *testing.T, count int, l load, f *figures) {
	t.Helper()
	begin := time.Now()
	*f = figures{name: l.name, jobs: l.jobs, calls: &callTimes{}}
	nodes := startNodes(t, count, s.limit)
	u := connect(t, nodes)
	if s.ratio > 0 {
		f.alone = s.healthy(t, u, "alone", time.Now().Add(time.Second), func() {})
	}
	if s.back > 0 {
		u.warm(t, s.window)
	}
	f.before = own(t, nodes)
	leases, watch := lost(nodes), watchMemory(t, nodes)
	defer func() {
		f.most, f.lost, f.took = watch(), lost(nodes)-leases, time.Since(begin)
		for _, n := range nodes {
			if n.group != nil {
				f.peak, f.kills = max(f.peak, n.group.peak(t)), f.kills+n.group.kills(t)
			}
		}
		t.Logf("\n%s", table([]*figures{f}))
	}()

	cfg := bench.AppsConfig{
		Schedulers: u.addresses, Prefix: "busy", Apps: l.apps, Jobs: l.jobs, Due: time.Now().Add(l.lead).Truncate(time.Millisecond), Answer: l.answer,
	}
	busy := serve(t, cfg)
	if l.listed > 0 {
		u.schedule(t, bench.AppsConfig{Prefix: "listed", Apps: 1, Jobs: l.listed, Due: time.Now().Add(1000 * time.Hour)}, 20_000)
	}
	if l.answer == bench.AnswerNone { // they are due long before all are scheduled
		u.schedule(t, cfg, l.payload)
		f.beside = s.healthy(t, u, "beside", time.Now().Add(time.Second), func() {})
	} else {
		f.beside = s.healthy(t, u, "beside", cfg.Due, func() { u.schedule(t, cfg, l.payload) })
	}
	if l.listers+l.writers > 0 {
		c := u.crowd(t, "listed-0", l.listers, l.writers)
		f.calls = u.call(t.Context(), "caller", s.window)
		c.wait(s.patience)
		c.stop()
		f.notes = append(f.notes, fmt.Sprintf("%s: lists: %v; bodies: %v", l.name, &c.lists, &c.bodies))
		if c.lists.done.Load() == 0 || c.bodies.done.Load() == 0 {
			t.Errorf("lists: %v; bodies: %v; want some of each answered", &c.lists, &c.bodies)
		}
	} else {
		f.calls = u.call(t.Context(), "caller", s.window)
	}
	s.finish(t, u, l, busy, f)
	if l.listed > 0 {
		u.forget(t, "listed-0", s.patience)
		u.forget(t, "bodies", s.patience)
	}
	f.after = s.fallen(t, nodes, f.before)
	f.lost = lost(nodes) - leases
	s.check(t, nodes, l, f)
}

// healthy has an app whose jobs are due at a fixed interval from begin on, and returns its tally. All of them
// are scheduled before it calls meanwhile.
func (s scale) healthy(t *testing.T, u *users, name string, begin time.Time, meanwhile func()) bench.Received {
	t.Helper()
	const interval = 10 * time.Millisecond
	cfg := bench.AppsConfig{
		Schedulers: u.addresses, Prefix: name, Apps: 1, Jobs: int(s.window / interval), Due: begin, Interval: interval, Answer: bench.AnswerSuccess,
	}
	a := serve(t, cfg)
	defer a.stop()
	u.schedule(t, cfg, 64)
	meanwhile()
	time.Sleep(time.Until(begin))
	tally := a.await(t, s.patience)
	if tally.Jobs < cfg.Jobs || tally.Early > 0 || tally.Unknown > 0 {
		t.Errorf("of the healthy app, %s: %+v, want %d jobs", name, tally, cfg.Jobs)
	}
	return tally
}

// finish waits until what was acknowledged has come. Of apps that do not handle theirs others take
// over, unless they are too many: then the jobs of some are counted where they are stored.
func (s scale) finish(t *testing.T, u *users, l load, busy *apps, f *figures) {
	t.Helper()
	tally := busy.tally(t.Context(), t)
	if l.answer == bench.AnswerSuccess {
		tally = busy.await(t, s.patience)
	}
	busy.stop()
	if tally.Early > 0 || tally.Unknown > 0 {
		t.Errorf("of the busy apps: %+v, want none early or unknown", tally)
	}
	f.delivered = tally.Jobs
	if l.answer == bench.AnswerSuccess {
		return
	}
	const few, some = 100_000, 20
	if l.jobs > few {
		for app := range some {
			if n := u.stored(t, busy.cfg.ID(app)); n != l.jobs/l.apps {
				t.Errorf("%d jobs of app %d are stored, want %d", n, app, l.jobs/l.apps)
			}
			f.stored += l.jobs / l.apps
		}
		f.jobs = f.delivered // the others wait
		return
	}
	cfg := busy.cfg
	cfg.Answer = bench.AnswerSuccess
	after := serve(t, cfg)
	f.delivered = after.await(t, s.patience).Jobs
	after.stop()
}

// lost returns how often the nodes have said that they have no lease.
func lost(nodes []*node) (times int) {
	for _, n := range nodes {
		times += n.leasesLost()
	}
	return times
}

// own returns what the node that has most of it has in memory, without files.
func own(t *testing.T, nodes []*node) (most int64) {
	t.Helper()
	for _, n := range nodes {
		if n.group != nil {
			most = max(most, n.group.own(t))
		}
	}
	return most
}

// watchMemory returns a function that ends the watch, and returns the most that a node had in memory.
func watchMemory(t *testing.T, nodes []*node) (read func() int64) {
	t.Helper()
	var most int64
	done := make(chan struct{})
	var watcher sync.WaitGroup
	watcher.Go(func() {
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			most = max(most, own(t, nodes))
			select {
			case <-done:
				return
			case <-tick.C:
			}
		}
	})
	end := sync.OnceFunc(func() {
		close(done)
		watcher.Wait()
	})
	t.Cleanup(end)
	return func() int64 {
		end()
		return most
	}
}

// fallBack is how much of the memory that a node had before it may have after.
const fallBack = 1.5

// fallen waits until the memory of all nodes has fallen back, and returns what it is then, or what it is in the end.
func (s scale) fallen(t *testing.T, nodes []*node, before int64) (after int64) {
	t.Helper()
	for begin := time.Now(); ; time.Sleep(100 * time.Millisecond) {
		after = own(t, nodes)
		if float64(after) <= fallBack*float64(before) || time.Since(begin) > s.back {
			return after
		}
	}
}

// check fails the test over what is not as it was promised.
func (s scale) check(t *testing.T, nodes []*node, l load, f *figures) {
	t.Helper()
	for _, n := range nodes {
		select {
		case <-n.ended:
			t.Errorf("a node has ended: %v", n.cmd.ProcessState)
		default:
		}
		if n.group != nil && n.group.kills(t) > 0 {
			t.Errorf("the kernel has killed a node that had %d MiB", s.limit>>20)
		}
	}
	if f.delivered < f.jobs {
		t.Errorf("%d of %d jobs were delivered", f.delivered, f.jobs)
	}
	if f.calls.failed > 0 {
		t.Errorf("%d calls of another app failed, the last with %v", f.calls.failed, f.calls.err)
	}
	crowded := l.listers+l.writers > 0 // by callers of this process, which keep it from calling
	if p99 := f.calls.percentile(0.99); !crowded && p99 > s.calls {
		t.Errorf("the calls of another app took %v, p99, want at most %v", p99, s.calls)
	}
	if ratio := f.beside.LateP99 / f.alone.LateP99; s.ratio > 0 && ratio > s.ratio {
		t.Errorf("the healthy app was %.1f times as late as alone, p99, want at most %v", ratio, s.ratio)
	}
	if s.back > 0 && float64(f.after) > fallBack*float64(f.before) {
		t.Errorf("a node has %d MiB after %v, and had %d before", f.after>>20, s.back, f.before>>20)
	}
	if len(nodes) > 1 && f.lost > 0 {
		t.Errorf("%d leases were lost", f.lost)
	}
}

// table writes the figures for people.
func table(all []*figures) string {
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "load\tmemory before\tmost\tafter\tpeak with files\tlate alone p50, p99\tbeside p50, p99\tcalls p50, p99, max\tfailed\tdelivered\tlost\tfound stored\tleases lost\tkills\ttook")
	for _, f := range all {
		fmt.Fprintf(w, "%s\t%d MiB\t%d MiB\t%d MiB\t%d MiB\t%.1f, %.1f ms\t%.1f, %.1f ms\t%v, %v, %v\t%d of %d\t%d\t%d\t%d\t%d\t%d\t%v\n",
			f.name, f.before>>20, f.most>>20, f.after>>20, f.peak>>20, f.alone.LateP50, f.alone.LateP99, f.beside.LateP50, f.beside.LateP99,
			f.calls.percentile(0.5).Round(10*time.Microsecond), f.calls.percentile(0.99).Round(10*time.Microsecond),
			f.calls.percentile(1).Round(10*time.Microsecond),
			f.calls.failed, len(f.calls.all), f.delivered, f.jobs-f.delivered, f.stored, f.lost, f.kills, f.took.Round(time.Second))
	}
	_ = w.Flush()
	for _, f := range all {
		for _, note := range f.notes {
			text.WriteString(note + "\n")
		}
	}
	return text.String()
}
