package management_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/timestamppb"

	"carillon/internal/engine"
	"carillon/internal/engine/record"
	"carillon/internal/job"
	"carillon/internal/logtest"
	"carillon/internal/management"
	pb "carillon/internal/managementv1"
	"carillon/internal/memnet"
	"carillon/internal/peerv1"
	"carillon/internal/store/pebblestore"
	"carillon/internal/when"
)

// An app takes each trigger, and answers as it is told.
type app struct {
	mu     sync.Mutex
	absent bool // it takes none
	resume []func(n int)
	answer job.Outcome
	after  time.Duration
}

func (a *app) Deliver(_ job.Trigger, done func(job.Outcome), resume func(int)) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.absent {
		a.resume = append(a.resume, resume)
		return false
	}
	outcome := a.answer
	time.AfterFunc(a.after, func() { done(outcome) })
	return true
}

// change makes the app absent or not, and answer otherwise.
func (a *app) change(absent bool, answer job.Outcome, after time.Duration) {
	a.mu.Lock()
	a.absent, a.answer, a.after = absent, answer, after
	var waiting []func(int)
	if !absent {
		waiting, a.resume = a.resume, nil
	}
	a.mu.Unlock()
	for _, resume := range waiting {
		resume(1000)
	}
}

func (*app) Withdraw(job.Target, int) {}

// A world is an engine on a disk in memory, and a server of the management API before it.
type world struct {
	*engine.Engine
	t           *testing.T
	app         *app
	log         logtest.Page
	listener    *memnet.Listener
	http        *http.Client
	unreachable []string // nodes that do not answer
	receivers   engine.Receivers
	storeFull   bool
	tokens      string // the path of the token file

	streams map[string]map[job.Target]int // of each node, by what they serve
	nodes   []peerv1.NodeReport
	asked   int // questions about targets that no name narrows
}

// run calls f in fake time with a world. Each line of tokens is one of a token file; without any,
// no token is needed.
func run(t *testing.T, f func(t *testing.T, w *world), tokens ...string) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, app: &app{answer: job.Handled}, listener: memnet.Listen()}
		log := slog.New(slog.NewTextHandler(io.MultiWriter(&w.log, t.Output()), nil))
		s, err := pebblestore.Open(pebblestore.Config{Dir: "store", FS: vfs.NewMem(), NoTickers: true}, log)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		w.Engine = engine.New(engine.Config{}, s, w.app, log)
		cfg := management.Config{Jobs: w.Engine, Progress: w.progress, Cluster: w}
		if len(tokens) > 0 {
			path := filepath.Join(t.TempDir(), "tokens")
			w.tokens = path
			if err := os.WriteFile(path, []byte(strings.Join(tokens, "\n")), 0o600); err != nil {
				t.Fatal(err)
			}
			if cfg.Tokens, err = management.OpenTokens(path); err != nil {
				t.Fatal(err)
			}
		}
		ctx, stop := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() {
			if err := w.Run(ctx); err != nil {
				t.Error(err)
			}
		})
		serving, end := context.WithCancel(ctx)
		var served sync.WaitGroup
		served.Go(func() {
			if err := management.New(cfg, log).Run(serving, w.listener); err != nil {
				t.Error(err)
			}
		})
		transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return w.listener.DialContext(ctx) }}
		w.http = &http.Client{Transport: transport}
		defer func() {
			transport.CloseIdleConnections()
			end()
			served.Wait()
			stop()
			running.Wait()
		}()
		f(t, w)
	})
}

func (w *world) progress(ctx context.Context, keys []job.Key) ([]engine.DueProgress, []string, error) {
	if w.unreachable != nil {
		all := make([]engine.DueProgress, len(keys))
		for i := range all {
			all[i].Holdup = engine.HoldupUnreachable
		}
		return all, w.unreachable, nil
	}
	all, err := w.Progress(ctx, keys)
	for i := range all {
		all[i].Receivers, all[i].StoreFull = w.receivers, w.storeFull
		if all[i].Holdup == engine.HoldupParked && w.receivers == engine.ReceiversAbsent {
			all[i].Holdup = engine.HoldupNoReceiver
		}
	}
	return all, nil, err
}

// Targets implements [management.ClusterReader]. Node a has the engine; others have streams only.
func (w *world) Targets(
	ctx context.Context, r *peerv1.TargetsRequest,
) (map[string]*peerv1.TargetsResponse, []string, error) {
	if len(r.GetTargets()) > peerv1.MaxTargets {
		w.t.Errorf("a question about %d targets, of at most %d", len(r.GetTargets()), peerv1.MaxTargets)
	}
	targets := make([]job.Target, len(r.GetTargets()))
	for i, b := range r.GetTargets() {
		targets[i], _ = record.ParseTarget(b)
	}
	counted, partitions, err := w.TargetStats(ctx, targets, int(r.GetMaxOverdue()))
	if err != nil {
		return nil, nil, err
	}
	answers := map[string]*peerv1.TargetsResponse{"a": {CountedPartitions: uint32(partitions)}}
	for id := range w.streams {
		if answers[id] == nil {
			answers[id] = new(peerv1.TargetsResponse)
		}
	}
	for id, a := range answers {
		a.TotalPartitions = uint32(w.PartitionCount())
		for i, t := range targets {
			s := &peerv1.TargetStatus{OverdueExact: true}
			if id == "a" {
				s.InFlightCount, s.OverdueCount, s.OverdueExact = uint32(counted[i].InFlight), uint32(counted[i].Overdue), counted[i].Exact
				if !counted[i].OldestDue.IsZero() {
					s.OldestDueTime = timestamppb.New(counted[i].OldestDue)
				}
			}
			s.StreamCount = uint32(w.streams[id][t])
			for range min(s.GetStreamCount(), r.GetMaxStreams()) {
				s.Streams = append(s.Streams, &peerv1.StreamStatus{AppId: t.Name, Address: "10.0.0.1:7"})
			}
			a.Targets = append(a.Targets, s)
		}
	}
	for _, name := range w.unreachable {
		delete(answers, strings.TrimPrefix(name, "nodes/"))
	}
	return answers, w.unreachable, nil
}

// ConnectedTargets implements [management.ClusterReader].
func (w *world) ConnectedTargets(
	_ context.Context, r *peerv1.ConnectedTargetsRequest,
) (map[string]*peerv1.ConnectedTargetsResponse, []string, error) {
	w.asked++
	s := job.Selector{Kind: job.Kind(r.GetKind()), Namespace: r.GetNamespace(), Target: r.GetTarget()}
	answers := map[string]*peerv1.ConnectedTargetsResponse{}
	for id, of := range w.streams {
		var keys [][]byte
		for t := range of {
			if k := record.TargetKey(t); s.Selects(job.Key{Target: t}) && bytes.Compare(k, r.GetAfter()) > 0 {
				keys = append(keys, k)
			}
		}
		slices.SortFunc(keys, bytes.Compare)
		n := min(len(keys), int(r.GetLimit()))
		answers[id] = &peerv1.ConnectedTargetsResponse{Targets: keys[:n], More: n < len(keys)}
	}
	for _, name := range w.unreachable {
		delete(answers, strings.TrimPrefix(name, "nodes/"))
	}
	return answers, w.unreachable, nil
}

// Nodes implements [management.ClusterReader].
func (w *world) Nodes(context.Context) ([]peerv1.NodeReport, error) {
	return slices.Clone(w.nodes), nil
}

// client returns a gRPC client with this token.
func (w *world) client(token string) pb.ManagementClient {
	w.t.Helper()
	conn, err := grpc.NewClient("passthrough:///localhost",
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return w.listener.DialContext(ctx) }),
		grpc.WithUnaryInterceptor(func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
			if token != "" {
				ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token)
			}
			return invoke(ctx, method, req, reply, cc, opts...)
		}))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { conn.Close() })
	return pb.NewManagementClient(conn)
}

// get sends a GET request and decodes the answer.
func (w *world) get(path string, header ...string) (code int, body map[string]any) {
	w.t.Helper()
	return w.request(http.MethodGet, path, "", header...)
}

// request sends a request and decodes the answer.
func (w *world) request(method, path, content string, header ...string) (code int, body map[string]any) {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), method, "http://localhost"+path, strings.NewReader(content))
	if err != nil {
		w.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		if header[i] == "Host" {
			r.Host = header[i+1]
		}
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := w.http.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := json.Unmarshal(text, &body); err != nil {
		body = map[string]any{"text": string(text)}
	}
	return resp.StatusCode, body
}

func appKey(namespace, app, name string) job.Key {
	return job.Key{Target: job.Target{Kind: job.App, Namespace: namespace, Name: app}, Name: name}
}

func reminderKey(namespace, actor, name string) job.Key {
	return job.Key{Target: job.Target{Kind: job.Actor, Namespace: namespace, Name: "type"}, ActorID: actor, Name: name}
}

// scheduleWords schedules a job with these times.
func (w *world) scheduleWords(k job.Key, words when.Words) {
	w.t.Helper()
	s := job.Spec{Words: words, Policy: job.Policy{Interval: new(time.Minute)}, AppID: k.Target.Name}
	if err := s.Resolve(time.Now()); err != nil {
		w.t.Fatal(err)
	}
	if err := w.Schedule(w.t.Context(), k, s, true); err != nil {
		w.t.Fatal(err)
	}
}

// schedule schedules a job that is due then, with a payload.
func (w *world) schedule(k job.Key, due time.Time) {
	w.t.Helper()
	w.scheduleWith(nil, k, due)
}

// scheduleWith is schedule with an ext.
func (w *world) scheduleWith(ext *job.Ext, k job.Key, due time.Time) {
	w.t.Helper()
	s := job.Spec{
		Plan: when.Plan{First: due.UTC().Round(0)}, Policy: job.Policy{Interval: new(time.Minute)}, AppID: k.Target.Name,
		Data: &job.Data{TypeURL: "type.googleapis.com/google.protobuf.StringValue", Value: []byte("secret payload")},
		Ext:  ext,
	}
	if k.Target.Kind == job.Actor {
		s.AppID = "owner"
	}
	if err := w.Schedule(w.t.Context(), k, s, true); err != nil {
		w.t.Fatal(err)
	}
}
