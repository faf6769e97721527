package bench

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"golang.org/x/sync/errgroup"
)

// Apps is the name of the child process that runs [ServeApps].
const Apps = "apps"

// The answers of an app to a trigger.
const (
	AnswerSuccess = "success"
	AnswerFailed  = "failed"
	AnswerNone    = "none"
)

// Answers returns all answers of apps.
func Answers() []string { return []string{AnswerSuccess, AnswerFailed, AnswerNone} }

// AppsConfig describes the apps to serve, and their jobs.
type AppsConfig struct {
	// Schedulers are the host:port of each node.
	Schedulers []string
	// Prefix is the start of the app IDs; the number of the app follows, from 0.
	Prefix string
	// Apps is the number of apps.
	Apps int
	// Jobs is the number of all jobs. Their names are the numbers from 0; job i is of app i modulo
	// Apps.
	Jobs int
	// Due is the first due instant of job 0, and Pace the time between two jobs.
	Due      time.Time
	Interval time.Duration
	// Answer is how they answer triggers.
	Answer string
}

// ID returns the ID of the app with that number.
func (c AppsConfig) ID(app int) string { return c.Prefix + "-" + strconv.Itoa(app) }

// Received is what the apps have received so far.
type Received struct {
	At       time.Time `json:"at"`
	Streams  int       `json:"streams"`  // open or connecting
	Triggers int       `json:"triggers"` // in all
	Jobs     int       `json:"jobs"`     // received at least once
	Early    int       `json:"early"`    // triggers before the job's first due instant
	Unknown  int       `json:"unknown"`  // triggers of unknown jobs
	// LateP50, LateP99 and LateMax are of the first trigger of each job, in milliseconds.
	LateP50 float64 `json:"late_p50_ms"`
	LateP99 float64 `json:"late_p99_ms"`
	LateMax float64 `json:"late_max_ms"`
}

// apps are the apps of a configuration, and what they have received.
type apps struct {
	cfg                               AppsConfig
	streams, triggers, early, unknown atomic.Int64
	seen                              []atomic.Bool // by job

	mu   sync.Mutex
	late []time.Duration // guarded by mu; of the first trigger of each job
}

// ServeApps connects all apps to all schedulers, and answers their triggers until ctx ends. It
// reconnects when a stream ends. On l it serves the [Received] as JSON.
func ServeApps(ctx context.Context, cfg AppsConfig, l net.Listener) error {
	a := &apps{cfg: cfg, seen: make([]atomic.Bool, cfg.Jobs)}
	s := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(a.tally()) // else the caller is gone
	})}
	defer context.AfterFunc(ctx, func() { _ = s.Close() })()
	var g errgroup.Group
	defer func() { _ = g.Wait() }() // they return nil
	const streamsPerConnection = 50
	connections := max(4, cfg.Apps/streamsPerConnection)
	for _, address := range cfg.Schedulers {
		c, err := dial(connections, 0, address)
		if err != nil {
			return err
		}
		defer func() { _ = c.close() }()
		for app := range cfg.Apps {
			g.Go(func() error {
				a.serve(ctx, &client{stubs: []schedulerv1.SchedulerClient{c.stubs[app%len(c.stubs)]}}, app)
				return nil
			})
		}
	}
	if err := s.Serve(l); ctx.Err() == nil {
		return err
	}
	return nil
}

// serve keeps one app connected to one scheduler until ctx ends.
func (a *apps) serve(ctx context.Context, c *client, app int) {
	for ctx.Err() == nil {
		a.streams.Add(1)
		_ = c.watchAnswering(ctx, 0, a.cfg.ID(app), a.cfg.Answer == AnswerFailed, func(name string, at time.Time) bool {
			a.receive(app, name, at)
			return a.cfg.Answer != AnswerNone
		})
		a.streams.Add(-1)
		_ = until(ctx, time.Now().Add(100*time.Millisecond))
	}
}

// receive records a trigger.
func (a *apps) receive(app int, name string, at time.Time) {
	a.triggers.Add(1)
	job, err := strconv.Atoi(name)
	if err != nil || job < 0 || job >= a.cfg.Jobs || job%a.cfg.Apps != app {
		a.unknown.Add(1)
		return
	}
	late := at.Sub(a.cfg.Due.Add(time.Duration(job) * a.cfg.Interval))
	if late < 0 {
		a.early.Add(1)
	}
	if a.seen[job].Swap(true) {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.late = append(a.late, late)
}

func (a *apps) tally() Received {
	a.mu.Lock()
	late := slices.Clone(a.late)
	a.mu.Unlock()
	figures := spread("", late)
	return Received{
		At: time.Now(), Streams: int(a.streams.Load()), Triggers: int(a.triggers.Load()), Jobs: len(late),
		Early: int(a.early.Load()), Unknown: int(a.unknown.Load()),
		LateP50: figures[0].Value, LateP99: figures[1].Value, LateMax: figures[2].Value,
	}
}

// count compares a tally with that many wanted jobs, each of which must arrive at least once.
func (t Received) count(jobs int) Count {
	return Count{Want: jobs, Distinct: t.Jobs, Lost: jobs - t.Jobs, Early: t.Early, Unknown: t.Unknown}
}
