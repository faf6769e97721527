package app_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/anypb"

	"carillon/internal/app"
	"carillon/internal/bulkv1"
	"carillon/internal/identity"
	"carillon/internal/identity/identitytest"
	"carillon/internal/memnet"
	"carillon/internal/scheduler"
	"carillon/internal/store/pebblestore"
)

// Each flood is measured in rounds: one without the flood and one with it, in turns.
const (
	floodRounds = 5
	floodRound  = 1500 * time.Millisecond
	floodQuota  = 500 // calls a second
)

// floods returns the ways in which one namespace may flood a scheduler that has a quota of calls per second.
func floods() []flood {
	return []flood{
		{"as many calls as the quota allows", floodQuota, (*flooder).steady},
		{"64 callers and 4 streams", floodQuota, (*flooder).calls},
		{"4000 callers", floodQuota, (*flooder).crowd},
		{"jobs of 1 MiB", floodQuota, (*flooder).large},
		{"messages of 5 MiB that are refused", floodQuota, (*flooder).oversized},
		{"calls about the jobs of others", floodQuota, (*flooder).foreign},
		{"connections without TLS", floodQuota, (*flooder).plaintext},
		{"the same without a quota", 0, (*flooder).calls},
	}
}

type flood struct {
	name  string
	quota float64
	run   func(*flooder, context.Context)
}

// TestFloodOfOneNamespaceDoesNotDelayAnother runs in real time, on a real disk, over mTLS: use make flood.
// The namespace quiet schedules 200 jobs per second, each due 300 ms later. Another namespace, in another
// process, floods the scheduler, which allows it 500 calls per second. The test compares medians of the
// rounds' 99th percentiles. The flood uses processor time of the same machine, hence the tolerance:
// twice as long, plus 25 ms.
func TestFloodOfOneNamespaceDoesNotDelayAnother(t *testing.T) {
	if os.Getenv("CARILLON_TEST_FLOOD") == "" {
		t.Skip("it measures, in real time: make flood runs it")
	}
	for i, f := range floods() {
		t.Run(f.name, func(t *testing.T) {
			s := startFlooded(t, f.quota)
			var alone, beside [2][]percentiles
			for range floodRounds {
				s.round(&alone)
				stop := s.flood(i)
				time.Sleep(500 * time.Millisecond)
				s.round(&beside)
				stop()
			}
			for i, what := range []string{"call", "trigger"} {
				was, is := median(alone[i]), median(beside[i])
				t.Logf("%s, p50 and p99: %v and %v alone, %v and %v beside it", what,
					was.p50.Round(100*time.Microsecond), was.p99.Round(100*time.Microsecond),
					is.p50.Round(100*time.Microsecond), is.p99.Round(100*time.Microsecond))
				if f.quota > 0 && is.p99 > 2*was.p99+25*time.Millisecond {
					t.Errorf("the 99th percentile of a %s was %v, and is %v", what, was.p99, is.p99)
				}
			}
		})
	}
}

// TestFloodHelper is the other process. It floods the scheduler until its standard input ends.
func TestFloodHelper(t *testing.T) {
	which, err := strconv.Atoi(os.Getenv("CARILLON_TEST_FLOOD_WITH"))
	if err != nil {
		t.Skip("TestFloodOfOneNamespaceDoesNotDelayAnother runs it")
	}
	f := &flooder{t: t, address: os.Getenv("CARILLON_TEST_FLOOD_ADDRESS"), files: os.Getenv("CARILLON_TEST_FLOOD_FILES")}
	ctx, stop := context.WithCancel(t.Context())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		stop()
	}()
	_, _ = io.WriteString(os.Stdout, "it floods\n")
	began := time.Now()
	floods()[which].run(f, ctx)
	t.Logf("%.0f calls a second", float64(f.made.Load())/time.Since(began).Seconds())
}

// flood starts a flood in another process.
func (s *flooded) flood(which int) (stop func()) {
	s.t.Helper()
	line := []string{os.Args[0], "-test.run=^TestFloodHelper$", "-test.v", "-test.timeout=1m"}
	// Whatever priority this process has, that one has an ordinary one.
	if chrt, err := exec.LookPath("chrt"); err == nil {
		line = append([]string{chrt, "-o", "0"}, line...)
	}
	c := exec.CommandContext(s.t.Context(), line[0], line[1:]...)
	c.Env = append(os.Environ(), "CARILLON_TEST_FLOOD_WITH="+strconv.Itoa(which),
		"CARILLON_TEST_FLOOD_ADDRESS="+s.address, "CARILLON_TEST_FLOOD_FILES="+s.loud)
	in, err := c.StdinPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		s.t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() && lines.Text() != "it floods" {
	}
	return func() {
		in.Close()
		for lines.Scan() {
			if strings.Contains(lines.Text(), "calls a second") || strings.HasPrefix(lines.Text(), "panic") {
				s.t.Log(strings.TrimSpace(lines.Text()))
			}
		}
		if err := c.Wait(); err != nil {
			s.t.Errorf("the flood: %v", err)
		}
	}
}

// flooded is a scheduler under a flood, with a client in the namespace quiet.
type flooded struct {
	t       *testing.T
	address string
	ca      *identitytest.Authority
	loud    string // files of that namespace: certificate, key and authority
	quiet   schedulerv1.SchedulerClient
	next    int64 // of the jobs of quiet

	mu   sync.Mutex // guards the fields below
	due  map[string]time.Time
	late []time.Duration
}

// startFlooded runs a scheduler with a quota of calls per second until the test ends.
func startFlooded(t *testing.T, rate float64) *flooded {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &flooded{t: t, address: l.Addr().String(), ca: identitytest.NewAuthority(t), due: map[string]time.Time{}}
	cfg := app.Config{Store: pebblestore.Config{Dir: t.TempDir()}}
	cfg.Scheduler = scheduler.Config{
		Hosts: []string{s.address}, Quota: scheduler.Quota{Rate: rate}, Identity: identityOf(t, s.files("default", "dapr-scheduler")),
	}
	node, err := app.OpenScheduler(cfg, app.SchedulerListeners{Scheduler: l, Health: memnet.Listen()}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- node.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	s.loud = s.files("loud", "app")
	s.quiet = schedulerv1.NewSchedulerClient(connectAs(t, s.address, s.files("quiet", "app")))
	s.watch()
	return s
}

// files issues a certificate for an app of a namespace, and returns its files.
func (s *flooded) files(namespace, name string) string {
	cert, key, ca := s.ca.Write(s.t, "spiffe://localhost/ns/"+namespace+"/"+name, time.Hour)
	return strings.Join([]string{cert, key, ca}, ",")
}

func identityOf(t *testing.T, files string) *identity.Source {
	t.Helper()
	f := strings.Split(files, ",")
	who, err := identity.OpenFiles(identity.Files{Cert: f[0], Key: f[1], CA: f[2]}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return who
}

// connectAs connects to the scheduler with the certificate in the files.
func connectAs(t *testing.T, address, files string) *grpc.ClientConn {
	t.Helper()
	id, err := identity.ID("localhost", "default", "dapr-scheduler")
	if err != nil {
		t.Fatal(err)
	}
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(identityOf(t, files).Client(id)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// watch receives the triggers of the namespace quiet, and records how late they are.
func (s *flooded) watch() {
	s.t.Helper()
	stream, err := s.quiet.WatchJobs(s.t.Context())
	if err == nil {
		err = stream.Send(&schedulerv1.WatchJobsRequest{WatchJobRequestType: &schedulerv1.WatchJobsRequest_Initial{
			Initial: &schedulerv1.WatchJobsRequestInitial{AppId: "app", Namespace: "quiet"},
		}})
	}
	if err != nil {
		s.t.Fatal(err)
	}
	go func() {
		for {
			trigger, err := stream.Recv()
			if err != nil {
				return
			}
			now := time.Now()
			s.mu.Lock()
			s.late = append(s.late, now.Sub(s.due[trigger.GetName()]))
			delete(s.due, trigger.GetName())
			s.mu.Unlock()
			if stream.Send(&schedulerv1.WatchJobsRequest{WatchJobRequestType: &schedulerv1.WatchJobsRequest_Result{
				Result: &schedulerv1.WatchJobsRequestResult{Id: trigger.GetId()},
			}}) != nil {
				return
			}
		}
	}()
}

// percentiles are two percentiles of a duration.
type percentiles struct{ p50, p99 time.Duration }

func percentilesOf(took []time.Duration) percentiles {
	slices.Sort(took)
	return percentiles{took[len(took)/2], took[len(took)*99/100]}
}

func median(rounds []percentiles) percentiles {
	of := func(field func(percentiles) time.Duration) time.Duration {
		var all []time.Duration
		for _, p := range rounds {
			all = append(all, field(p))
		}
		slices.Sort(all)
		return all[len(all)/2]
	}
	return percentiles{of(func(p percentiles) time.Duration { return p.p50 }), of(func(p percentiles) time.Duration { return p.p99 })}
}

// round schedules 200 jobs per second in the namespace quiet. It adds the percentiles of the calls, each
// measured from its planned start, and of the lateness of the triggers.
func (s *flooded) round(to *[2][]percentiles) {
	const gap, ahead = 5 * time.Millisecond, 300 * time.Millisecond
	took := make([]time.Duration, floodRound/gap)
	var calls sync.WaitGroup
	began := time.Now()
	for i := range took {
		at := began.Add(time.Duration(i) * gap)
		time.Sleep(time.Until(at))
		s.next++
		name, due := fmt.Sprint("q", s.next), at.Add(ahead)
		s.mu.Lock()
		s.due[name] = due
		s.mu.Unlock()
		calls.Go(func() {
			r := flooding("quiet", name, due.Format(time.RFC3339Nano), 1)
			if _, err := s.quiet.ScheduleJob(s.t.Context(), r); err != nil {
				s.t.Error(err)
			}
			took[i] = time.Since(at)
		})
	}
	calls.Wait()
	for range 100 { // the last triggers come
		s.mu.Lock()
		left := len(s.due)
		s.mu.Unlock()
		if left == 0 {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.due) > 0 || len(s.late) != len(took) {
		s.t.Errorf("%d triggers have not come, and %d have, want %d", len(s.due), len(s.late), len(took))
	}
	to[0], to[1] = append(to[0], percentilesOf(took)), append(to[1], percentilesOf(s.late))
	s.late = nil
}

func flooding(ns, name, due string, bytes int) *schedulerv1.ScheduleJobRequest {
	m := jobMeta("app")
	m.Namespace = ns
	return &schedulerv1.ScheduleJobRequest{
		Name: name, Metadata: m, Overwrite: true,
		Job: &schedulerv1.Job{DueTime: &due, Data: &anypb.Any{Value: make([]byte, bytes)}},
	}
}

// flooder is a client in the namespace loud.
type flooder struct {
	t       *testing.T
	address string
	files   string
	made    atomic.Int64
}

func (s *flooder) connect() *grpc.ClientConn { return connectAs(s.t, s.address, s.files) }

// each repeats a call on four connections, with so many callers each, until ctx ends.
func (s *flooder) each(ctx context.Context, callers int, call func(schedulerv1.SchedulerClient) error) {
	var all sync.WaitGroup
	for range 4 {
		client := schedulerv1.NewSchedulerClient(s.connect())
		for range callers {
			all.Go(func() {
				for ctx.Err() == nil {
					s.made.Add(1)
					err := call(client)
					if c := status.Code(err); c != codes.OK && c != codes.ResourceExhausted && c != codes.PermissionDenied && ctx.Err() == nil {
						s.t.Error(err)
						return
					}
				}
			})
		}
	}
	all.Wait()
}

// job returns the next job of the namespace loud.
func (s *flooder) job() *schedulerv1.ScheduleJobRequest {
	return flooding("loud", "job"+strconv.FormatInt(s.made.Load()%10_000, 10), "1h", 1)
}

func (s *flooder) steady(ctx context.Context) {
	client := schedulerv1.NewSchedulerClient(s.connect())
	began := time.Now()
	var calls sync.WaitGroup
	for i := 0; ctx.Err() == nil; i++ {
		time.Sleep(time.Until(began.Add(time.Duration(i) * time.Second / floodQuota)))
		s.made.Add(1)
		calls.Go(func() { _, _ = client.ScheduleJob(ctx, s.job()) })
	}
	calls.Wait()
}

func (s *flooder) calls(ctx context.Context) {
	var batches sync.WaitGroup
	for range 4 {
		client := bulkv1.NewBulkClient(s.connect())
		batches.Go(func() {
			for ctx.Err() == nil {
				m := new(bulkv1.ScheduleJobsRequest)
				for range 1000 {
					s.made.Add(1)
					m.Jobs = append(m.Jobs, s.job())
				}
				_, _ = client.ScheduleJobs(ctx, m)
			}
		})
	}
	s.each(ctx, 16, s.schedule(ctx))
	batches.Wait()
}

func (s *flooder) schedule(ctx context.Context) func(schedulerv1.SchedulerClient) error {
	return func(c schedulerv1.SchedulerClient) error {
		_, err := c.ScheduleJob(ctx, s.job())
		return err
	}
}

func (s *flooder) crowd(ctx context.Context) { s.each(ctx, 1000, s.schedule(ctx)) }

func (s *flooder) large(ctx context.Context) {
	r := flooding("loud", "large", "1h", 1<<20)
	s.each(ctx, 4, func(c schedulerv1.SchedulerClient) error {
		_, err := c.ScheduleJob(ctx, r)
		return err
	})
}

func (s *flooder) oversized(ctx context.Context) {
	r := flooding("loud", "oversized", "1h", 5<<20)
	s.each(ctx, 4, func(c schedulerv1.SchedulerClient) error {
		_, err := c.ScheduleJob(ctx, r)
		return err
	})
}

func (s *flooder) foreign(ctx context.Context) {
	r := flooding("quiet", "foreign", "1h", 1)
	s.each(ctx, 16, func(c schedulerv1.SchedulerClient) error {
		_, err := c.ScheduleJob(ctx, r)
		return err
	})
}

// plaintext opens connections that do not speak TLS, and waits until the scheduler closes them.
func (s *flooder) plaintext(ctx context.Context) {
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			for ctx.Err() == nil {
				s.made.Add(1)
				c, err := new(net.Dialer).DialContext(ctx, "tcp", s.address)
				if err != nil {
					continue
				}
				_, _ = io.Copy(c, strings.NewReader("GET / HTTP/1.1\r\nHost: a\r\n\r\n"))
				_, _ = io.Copy(io.Discard, c)
				c.Close()
			}
		})
	}
	all.Wait()
}
