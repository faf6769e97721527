package simulate_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"carillon/internal/memnet"
	"carillon/internal/pause"
	"carillon/internal/sidecar"
)

// A replica is a copy of an app, and where it and the sidecar beside it can be reached.
type replica struct {
	world   *world
	app     appProgram
	program copyProgram

	mu      sync.Mutex  // guards the fields below
	asked   map[int]int // how often, about each version
	started int         // how often, over gRPC
	mood    mood
	changed chan struct{} // closed when the mood changes
	app80   *memnet.Listener
	api     *memnet.Listener // of the sidecar; nil while there is none
	kill    func()           // ends the sidecar as kill -9 does; nil while there is none
}

func newReplica(w *world, a appProgram, p copyProgram) *replica {
	return &replica{world: w, app: a, program: p, asked: map[int]int{}, changed: make(chan struct{})}
}

// say changes the mood.
func (r *replica) say(m mood) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.mood != m {
		r.world.history.add(event{what: fault, who: r.program.name, text: "is " + string(m) + " from now on"})
		r.mood = m
		close(r.changed)
		r.changed = make(chan struct{})
	}
}

func (r *replica) now() (mood, <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.mood, r.changed
}

// live goes through the moods, and serves while the app listens, until ctx ends.
func (r *replica) live(ctx context.Context) {
	var serving sync.WaitGroup
	defer serving.Wait()
	defer r.close()
	defer r.say(fine) // no call hangs any longer
	for _, c := range r.program.moods {
		if !r.world.until(ctx, c.at) {
			return
		}
		r.say(c.mood)
		if r.app.foreign {
			continue
		}
		if c.mood == away {
			r.close()
		} else if r.listening() == nil {
			l := r.open()
			serving.Go(func() { r.serve(l) })
		}
	}
	<-ctx.Done()
}

func (r *replica) listening() *memnet.Listener {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.app80
}

func (r *replica) open() *memnet.Listener {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.app80 = memnet.Listen()
	return r.app80
}

func (r *replica) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.app80 != nil {
		r.app80.Close()
		r.app80 = nil
	}
}

// serve is the app, until its listener is closed. Then its connections are broken, too.
func (r *replica) serve(l *memnet.Listener) {
	if r.app.grpc {
		r.serveGRPC(l)
		return
	}
	var handler http.Handler = http.HandlerFunc(r.handle)
	if plant := r.world.plant.app; plant != nil {
		handler = plant(handler)
	}
	server := &http.Server{Handler: handler}
	_ = server.Serve(l) // until l is closed
	_ = server.Close()
}

// dial connects to the app.
func (r *replica) dial(ctx context.Context, _ string) (net.Conn, error) {
	l := r.listening()
	if l == nil {
		return nil, errors.New("connection refused")
	}
	return l.DialContext(ctx)
}

// A reaction is what an app does with a trigger.
type reaction struct {
	after  time.Duration
	status int
	hangs  bool       // until the mood changes
	rnd    *rand.Rand // for what else there is to decide
}

// react says what happens to a trigger of that version. It depends on the seed, and on how often there was one, but not
// on what else comes at the same time.
func (r *replica) react(version int) (reaction, <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked[version]++
	rnd := random(r.world.program.seed, r.program.name, version, r.asked[version])
	m := r.mood
	if m == flaky {
		m = []mood{fine, fine, slow, failing}[rnd.IntN(4)]
	}
	a := reaction{after: time.Duration(1+rnd.IntN(20)) * time.Millisecond, status: http.StatusOK, rnd: rnd}
	switch m {
	case slow:
		a.after = time.Duration(200+rnd.IntN(3000)) * time.Millisecond
	case failing:
		a.status = http.StatusInternalServerError
	case unaware:
		a.status = http.StatusNotFound
	case hanging:
		a.hangs = true
	case fine, flaky, away:
	}
	return a, r.changed
}

// handle is a call of the app over HTTP.
func (r *replica) handle(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return // it never came
	}
	w.WriteHeader(r.take(req.Context(), strings.TrimPrefix(req.URL.Path, "/job/"), string(body)))
}

// take takes a trigger, and returns the status of HTTP that says what came of it.
func (r *replica) take(ctx context.Context, name, data string) (status int) {
	h := r.world.history
	e := event{who: r.program.name, call: h.call(), version: versionIn(data), key: r.app.id + "/" + name}
	e.what = arrived
	h.add(e)
	a, changed := r.react(e.version)
	e.what, e.text = left, http.StatusText(a.status)
	if a.hangs {
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
	if ctx.Err() != nil || !pause.For(ctx, a.after) {
		e.text = "nobody waits any more"
	}
	h.add(e)
	return a.status
}

// attend keeps a sidecar beside the app until ctx ends. One that was killed comes back after a moment.
func (r *replica) attend(ctx context.Context) {
	for life := 0; ctx.Err() == nil; life++ {
		r.runSidecar(ctx)
		pause.For(ctx, time.Second)
	}
}

func (r *replica) runSidecar(ctx context.Context) {
	var dead sync.Mutex // guards killed
	killed := false
	app := sidecar.App{ID: r.app.id, Address: "app:80"}
	if r.app.grpc {
		app.Protocol = "grpc"
	}
	s, err := sidecar.New(sidecar.Config{
		Apps: []sidecar.App{app}, Namespace: namespace, Schedulers: r.world.addresses(),
	}, sidecar.Dialers{
		App: r.dial,
		Scheduler: func(ctx context.Context, address string) (net.Conn, error) {
			conn, err := r.world.dial(ctx, r.program.name, address)
			dead.Lock()
			defer dead.Unlock()
			if err == nil && killed {
				conn.Close()
				return nil, errors.New("dead")
			}
			return conn, err
		},
	}, r.world.log.With(slog.String("sidecar", r.program.name)))
	if err != nil {
		panic(err)
	}
	running, cancel := context.WithCancel(ctx)
	defer cancel()
	api := memnet.Listen()
	r.mu.Lock()
	r.api = api
	r.kill = func() {
		dead.Lock()
		killed = true
		dead.Unlock()
		r.cutOff() // before it can say anything
		cancel()
	}
	r.mu.Unlock()
	listeners := sidecar.Listeners{HTTP: []net.Listener{api}}
	if r.app.grpc {
		listeners = sidecar.Listeners{GRPC: []net.Listener{api}}
	}
	if err := s.Run(running, listeners); err != nil {
		panic(err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.api, r.kill = nil, nil
}

// cutOff resets all connections between the sidecar and schedulers.
func (r *replica) cutOff() {
	for _, m := range r.world.hosts {
		m.wire.reset(r.program.name)
	}
}

// dialAPI connects to the sidecar's API.
func (r *replica) dialAPI(ctx context.Context) (net.Conn, error) {
	r.mu.Lock()
	l := r.api
	r.mu.Unlock()
	if l == nil {
		return nil, errors.New("connection refused")
	}
	return l.DialContext(ctx)
}

// strike kills the sidecar, if there is one.
func (r *replica) strike() {
	r.mu.Lock()
	kill := r.kill
	r.mu.Unlock()
	if kill != nil {
		kill()
	}
}
