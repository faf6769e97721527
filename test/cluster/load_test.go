//go:build linux

package cluster

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/anypb"
)

// callTime is how long a call may take before its caller gives up. A node says Unavailable before.
const callTime = 15 * time.Second

// on returns a client of the node at that address, over a connection that lasts as long as the test.
func (c *cluster) on(address string) schedulerv1.SchedulerClient {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conns[address] == nil {
		conn, err := dial(address)
		if err != nil {
			panic(err)
		}
		c.conns[address] = conn
	}
	return schedulerv1.NewSchedulerClient(c.conns[address])
}

// meta says who a request about jobs of the app is from.
func meta(app string) *schedulerv1.JobMetadata {
	return &schedulerv1.JobMetadata{AppId: app, Namespace: namespace, Target: &schedulerv1.JobTargetMetadata{
		Type: &schedulerv1.JobTargetMetadata_Job{Job: new(schedulerv1.TargetJob)},
	}}
}

// request asks for the job, which is an app's id, a slash and a name. It is due at that instant,
// and then again until it has been so many times.
func request(job string, due time.Time, every time.Duration, times int) *schedulerv1.ScheduleJobRequest {
	app, name, _ := strings.Cut(job, "/")
	at := due.UTC().Format(time.RFC3339Nano)
	j := &schedulerv1.Job{DueTime: &at, Data: &anypb.Any{Value: make([]byte, 64)}}
	if times > 1 {
		schedule, repeats := "@every "+every.String(), uint32(times)
		j.Schedule, j.Repeats = &schedule, &repeats
	}
	return &schedulerv1.ScheduleJobRequest{Name: name, Job: j, Metadata: meta(app)}
}

// never is when a job is due that is only to be kept.
func never() time.Time { return time.Now().AddDate(10, 0, 0) }

// schedule has a node store the job, and notes that.
func (c *cluster) schedule(ctx context.Context, address, job string, due time.Time, every time.Duration, times int) error {
	c.ledger.plan(job, due, every, times)
	if _, err := c.on(address).ScheduleJob(ctx, request(job, due, every, times)); err != nil {
		return err
	}
	c.ledger.ack(job)
	return nil
}

// A load is users that schedule jobs, look at them and delete some, through the nodes that an app knows.
type load struct {
	c     *cluster
	hosts func() []string
	end   context.CancelFunc
	users sync.WaitGroup

	mu      sync.Mutex // guards the fields below
	calls   int
	failed  map[codes.Code]int
	texts   map[codes.Code]string
	longest time.Duration
}

// load begins a load of the apps' jobs, by that many users, until stop is called. hosts is whom they ask.
func (c *cluster) load(users int, hosts func() []string, apps ...string) *load {
	ctx, cancel := context.WithCancel(context.WithoutCancel(c.t.Context()))
	l := &load{c: c, hosts: hosts, end: cancel, failed: map[codes.Code]int{}, texts: map[codes.Code]string{}}
	run := rand.Uint32()
	for u := range users {
		l.users.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				job := fmt.Sprintf("%s/%x-%d-%d", apps[rand.IntN(len(apps))], run, u, i)
				l.act(ctx, job, i)
				pause(ctx, rand.N(40*time.Millisecond))
			}
		})
	}
	c.t.Cleanup(l.stop)
	return l
}

// stop ends the load.
func (l *load) stop() {
	l.end()
	l.users.Wait()
}

// act is what a user does the ith time.
func (l *load) act(ctx context.Context, job string, i int) {
	schedule := func(due time.Time, every time.Duration, times int) bool {
		return l.call(ctx, func(ctx context.Context, address string) error {
			return l.c.schedule(ctx, address, job, due, every, times)
		}) == nil
	}
	switch i % 20 {
	case 7:
		schedule(time.Now().Add(time.Second), time.Second, 5)
	case 13:
		if schedule(never(), 0, 0) {
			l.look(ctx, job)
		}
	case 17:
		if schedule(never(), 0, 0) {
			l.c.ledger.forget(job)
			l.remove(ctx, job)
		}
	default:
		schedule(time.Now().Add(rand.N(3*time.Second)), 0, 1)
	}
}

// look gets the job from any node.
func (l *load) look(ctx context.Context, job string) {
	app, name, _ := strings.Cut(job, "/")
	err := l.call(ctx, func(ctx context.Context, address string) error {
		_, err := l.c.on(address).GetJob(ctx, &schedulerv1.GetJobRequest{Name: name, Metadata: meta(app)})
		return err
	})
	if status.Code(err) == codes.NotFound {
		l.c.ledger.complain("%s was acknowledged and is not found", job)
	}
}

// remove deletes the job, and looks for it.
func (l *load) remove(ctx context.Context, job string) {
	app, name, _ := strings.Cut(job, "/")
	if err := l.call(ctx, func(ctx context.Context, address string) error {
		_, err := l.c.on(address).DeleteJob(ctx, &schedulerv1.DeleteJobRequest{Name: name, Metadata: meta(app)})
		return err
	}); err != nil {
		return
	}
	l.c.ledger.forgotten(job)
	var err error
	if l.call(ctx, func(ctx context.Context, address string) error {
		_, err = l.c.on(address).GetJob(ctx, &schedulerv1.GetJobRequest{Name: name, Metadata: meta(app)})
		if status.Code(err) == codes.NotFound {
			return nil
		}
		return err
	}) == nil && err == nil {
		l.c.ledger.complain("%s was deleted and is found", job)
	}
}

// call calls some host once, and notes how it went.
func (l *load) call(ctx context.Context, f func(ctx context.Context, address string) error) error {
	hosts := l.hosts()
	if len(hosts) == 0 {
		return context.Canceled
	}
	bounded, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	begin := time.Now()
	err := f(bounded, hosts[rand.IntN(len(hosts))])
	took := time.Since(begin)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls++
	l.longest = max(l.longest, took)
	if code := status.Code(err); code != codes.OK && ctx.Err() == nil {
		l.failed[code]++
		l.texts[code] = err.Error()
		if code != codes.Unavailable && code != codes.DeadlineExceeded {
			l.c.ledger.complain("a call failed: %v", err)
		}
	}
	return err
}

func (l *load) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	text := fmt.Sprintf("%d calls, the longest took %v", l.calls, l.longest.Round(time.Millisecond))
	for _, code := range slices.Sorted(maps.Keys(l.failed)) {
		text += fmt.Sprintf("; %d failed such as: %s", l.failed[code], l.texts[code])
	}
	return text
}

// errors returns how many calls ended so.
func (l *load) errors(code codes.Code) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.failed[code]
}

// addresses returns where the nodes are.
func (c *cluster) addresses() (all []string) {
	for _, n := range c.nodes {
		all = append(all, n.address())
	}
	return all
}

// close waits until everything has come that is owed, and holds the ledger against it: nothing lost, nothing early,
// nothing again but what was out at a disturbance or is counted as redelivered, and stored what must be. apps are all
// there are.
func (c *cluster) close(apps ...string) {
	c.t.Helper()
	end := time.Now().Add(patience)
	for n, such := c.ledger.missing(); n > 0 && time.Now().Before(end); n, such = c.ledger.missing() {
		if time.Until(end) < patience/2 && time.Until(end) > patience/2-20*time.Millisecond {
			c.t.Logf("%d are missing yet, such as %s", n, such)
		}
		time.Sleep(10 * time.Millisecond)
	}
	time.Sleep(time.Second) // for unexpected triggers
	v := c.ledger.judge()
	counted := 0.0
	for _, n := range c.nodes {
		counted += n.redelivered
		if v, err := n.metric("carillon_redeliveries_total"); err == nil {
			counted += v
		}
	}
	c.t.Logf("%v; %v are counted as redelivered", v, counted)
	for i, bad := range v.bad {
		if i == 10 {
			c.t.Errorf("and %d more", len(v.bad)-i)
			break
		}
		c.t.Error(bad)
	}
	if most := v.out + int(counted); v.again > most {
		c.t.Errorf("%d came again, want no more than were out at a disturbance or are counted: %d", v.again, most)
	}
	for _, a := range apps {
		c.kept(a)
	}
}

// kept holds that every node that runs lists what is stored for the app, and nothing else.
func (c *cluster) kept(app string) {
	c.t.Helper()
	must, may := c.ledger.stored(app + "/")
	for _, n := range c.nodes {
		if n.check() != nil {
			continue
		}
		var resp *schedulerv1.ListJobsResponse
		eventually(c.t, fmt.Sprintf("node %s lists the jobs of %s", n.id, app), func(ctx context.Context) (err error) {
			resp, err = c.on(n.address()).ListJobs(ctx, &schedulerv1.ListJobsRequest{Metadata: meta(app)})
			return err
		})
		listed := 0
		for _, j := range resp.GetJobs() {
			name := app + "/" + j.GetName()
			switch {
			case must[name]:
				listed++
			case !may[name]:
				c.t.Errorf("node %s lists %s, which should not be there", n.id, name)
			}
		}
		if listed != len(must) {
			c.t.Errorf("node %s lists %d of the %d jobs of %s that are to be kept", n.id, listed, len(must), app)
		}
	}
}

// logf logs what a test has measured, for those who read figures.
func logf(t *testing.T, format string, args ...any) {
	t.Helper()
	t.Logf("MEASURED "+format, args...)
}
