package scheduler_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/anypb"

	"carillon/internal/job"
	"carillon/internal/wire"
)

const (
	acceptJob   = schedulerv1.JobTargetType_JOB_TARGET_TYPE_JOB
	acceptActor = schedulerv1.JobTargetType_JOB_TARGET_TYPE_ACTOR_REMINDER
)

func hello(ns, app string, types ...string) *schedulerv1.WatchJobsRequestInitial {
	return &schedulerv1.WatchJobsRequestInitial{Namespace: ns, AppId: app, ActorTypes: types}
}

func appTarget(ns, name string) job.Target {
	return job.Target{Kind: job.App, Namespace: ns, Name: name}
}

func actorTarget(ns, name string) job.Target {
	return job.Target{Kind: job.Actor, Namespace: ns, Name: name}
}

// An engine delivers triggers and keeps how they ended.
type engine struct {
	n *node

	mu    sync.Mutex
	ended map[string]job.Outcome
}

func newEngine(n *node) *engine { return &engine{n: n, ended: make(map[string]job.Outcome)} }

// deliver delivers a trigger, and reports whether it was accepted.
func (e *engine) deliver(target job.Target, name string) bool {
	t := job.Trigger{Key: job.Key{Target: target, Name: name}, AppID: "app", Data: &job.Data{Value: []byte(name)}}
	return e.n.dispatch.Deliver(t, func(o job.Outcome) {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.ended[name] = o
	}, func(int) {})
}

func (e *engine) mustDeliver(t *testing.T, target job.Target, name string) {
	t.Helper()
	if !e.deliver(target, name) {
		t.Fatalf("%q was refused", name)
	}
}

// want waits until all is quiet and compares how the triggers have ended.
func (e *engine) want(t *testing.T, ended map[string]job.Outcome) {
	t.Helper()
	synctest.Wait()
	e.mu.Lock()
	defer e.mu.Unlock()
	if diff := cmp.Diff(ended, e.ended); diff != "" {
		t.Errorf("outcomes -want +got\n%s", diff)
	}
}

// The first message is held while the stream is open, at a hundred times its encoded size.
func TestActorTypesOfStreamAreLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := run(t)
		types := func(count, bytes int) *schedulerv1.WatchJobsRequestInitial {
			i := hello("ns", "app")
			for at := range count {
				i.ActorTypes = append(i.ActorTypes, fmt.Sprintf("%0*d", bytes, at))
			}
			return i
		}
		limited := hello("ns", "app")
		for range 4097 {
			limited.ConcurrencyLimits = append(limited.ConcurrencyLimits, limitOf(nil, 1))
		}
		for what, i := range map[string]*schedulerv1.WatchJobsRequestInitial{
			"types": types(4097, 4), "limits": limited, "bytes": types(1000, 1000),
		} {
			if _, err := n.watch(t, i).Recv(); status.Code(err) != codes.ResourceExhausted {
				t.Errorf("too many %s: %v, want ResourceExhausted", what, err)
			}
		}
		n.watch(t, types(4096, 50))
		time.Sleep(time.Second) // it was refused, and is read more slowly
		synctest.Wait()
		if got := n.dispatch.Stats().Streams; got != 1 {
			t.Errorf("there are %d streams, want the one with as much as one may have", got)
		}
	})
}

func TestFirstMessageOfStreamIsChecked(t *testing.T) {
	twice := hello("ns", "app")
	twice.AcceptJobTypes = []schedulerv1.JobTargetType{acceptActor, acceptActor}
	first := func(m *schedulerv1.WatchJobsRequestInitial) *schedulerv1.WatchJobsRequest {
		return &schedulerv1.WatchJobsRequest{WatchJobRequestType: &schedulerv1.WatchJobsRequest_Initial{Initial: m}}
	}
	for what, tc := range map[string]struct {
		m    *schedulerv1.WatchJobsRequest
		code codes.Code
		text string
	}{
		"empty":        {new(schedulerv1.WatchJobsRequest), codes.Unknown, "initial request is required on stream connection"},
		"a result":     {wire.Result(1, job.Handled), codes.Unknown, "initial request is required on stream connection"},
		"no namespace": {first(hello("", "app")), codes.InvalidArgument, "missing namespace or appID in request"},
		"no app":       {first(hello("ns", "")), codes.InvalidArgument, "missing namespace or appID in request"},
		"a kind twice": {first(twice), codes.Unknown, "duplicate target type specified: JOB_TARGET_TYPE_ACTOR_REMINDER"},
	} {
		synctest.Test(t, func(t *testing.T) {
			stream := run(t).watch(t, nil)
			send(t, stream, tc.m)
			_, err := stream.Recv()
			wantStatus(t, what, err, tc.code, tc.text)
		})
	}
}

func TestTriggersMayBeAnsweredInAnyOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := run(t)
		e := newEngine(n)
		stream := n.watch(t, hello("ns", "app"))
		synctest.Wait()
		for _, name := range []string{"my||job@name", "b", "c", "d"} {
			e.mustDeliver(t, appTarget("ns", "app"), name)
		}
		got := recv(t, stream)
		want := &schedulerv1.WatchJobsResponse{
			Id: 1, Name: "my||job@name", Data: &anypb.Any{Value: []byte("my||job@name")}, Metadata: jobMetadata("ns", "app"),
		}
		if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
		for id := uint64(2); id <= 4; id++ {
			if got := recv(t, stream); got.GetId() != id {
				t.Errorf("%q has number %d, want %d", got.GetName(), got.GetId(), id)
			}
		}
		time.Sleep(24 * time.Hour) // an answer may take any time
		send(t, stream, wire.Result(3, job.Failed))
		send(t, stream, wire.Result(1, job.Handled))
		strange := wire.Result(2, job.Failed)
		strange.GetResult().Status = 17
		send(t, stream, strange)
		e.want(t, map[string]job.Outcome{"c": job.Failed, "my||job@name": job.Handled, "b": job.Failed})
	})
}

func TestResultWithoutTriggerIsIgnored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := run(t)
		e := newEngine(n)
		stream := n.watch(t, hello("ns", "app"))
		send(t, stream, wire.Result(0, job.Handled))
		send(t, stream, wire.Result(1, job.Handled)) // ahead of its time
		send(t, stream, wire.Result(99, job.Failed))
		synctest.Wait()
		e.mustDeliver(t, appTarget("ns", "app"), "a")
		e.mustDeliver(t, appTarget("ns", "app"), "b")
		recv(t, stream)
		send(t, stream, wire.Result(1, job.Handled))
		send(t, stream, wire.Result(1, job.Failed)) // changes nothing
		recv(t, stream)
		send(t, stream, wire.Result(2, job.Handled))
		e.want(t, map[string]job.Outcome{"a": job.Handled, "b": job.Handled})
		if got := n.dispatch.Stats().Ignored; got != 4 {
			t.Errorf("%d ignored, want 4", got)
		}
	})
}

func TestProtocolViolationEndsOnlyItsStream(t *testing.T) {
	for what, end := range map[string]func(schedulerv1.Scheduler_WatchJobsClient) error{
		"initial again": func(s schedulerv1.Scheduler_WatchJobsClient) error {
			again := &schedulerv1.WatchJobsRequest_Initial{Initial: hello("ns", "app")}
			return s.Send(&schedulerv1.WatchJobsRequest{WatchJobRequestType: again})
		},
		"empty message": func(s schedulerv1.Scheduler_WatchJobsClient) error {
			return s.Send(new(schedulerv1.WatchJobsRequest))
		},
		"half-close": func(s schedulerv1.Scheduler_WatchJobsClient) error { return s.CloseSend() },
	} {
		synctest.Test(t, func(t *testing.T) {
			n := run(t)
			e := newEngine(n)
			bad, good := n.watch(t, hello("ns", "bad")), n.watch(t, hello("ns", "good"))
			synctest.Wait()
			e.mustDeliver(t, appTarget("ns", "bad"), "bad")
			e.mustDeliver(t, appTarget("ns", "good"), "good")
			recv(t, bad)
			if err := end(bad); err != nil {
				t.Fatal(err)
			}
			_, err := bad.Recv()
			wantStatus(t, what, err, codes.Canceled, "context canceled")
			e.want(t, map[string]job.Outcome{"bad": job.Lost})
			recv(t, good)
			send(t, good, wire.Result(1, job.Handled))
			e.want(t, map[string]job.Outcome{"bad": job.Lost, "good": job.Handled})
		})
	}
}

func TestPanicEndsOnlyItsStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := run(t)
		e := newEngine(n)
		bad, good := n.watch(t, hello("ns", "bad")), n.watch(t, hello("ns", "good"))
		synctest.Wait()
		trigger := job.Trigger{Key: job.Key{Target: appTarget("ns", "bad")}}
		if !n.dispatch.Deliver(trigger, func(job.Outcome) { panic("told to") }, nil) {
			t.Fatal("refused")
		}
		recv(t, bad)
		send(t, bad, wire.Result(1, job.Handled))
		_, err := bad.Recv()
		wantStatus(t, "panic", err, codes.Internal, "internal error of the scheduler: its log says more")
		e.mustDeliver(t, appTarget("ns", "good"), "good")
		recv(t, good)
	})
}

func TestTriggersRotateOverStreamsOfApp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := run(t)
		e := newEngine(n)
		var streams []schedulerv1.Scheduler_WatchJobsClient
		for range 3 {
			streams = append(streams, n.watch(t, hello("ns", "app")))
			synctest.Wait() // so that they connect in this order
		}
		for i := range 30 {
			e.mustDeliver(t, appTarget("ns", "app"), fmt.Sprint(i))
		}
		for i, stream := range streams {
			for k := range 10 {
				if got, want := recv(t, stream).GetName(), fmt.Sprint(3*k+i); got != want {
					t.Errorf("stream %d got %q, want %q", i, got, want)
				}
			}
		}
	})
}

func TestBrokenStreamLosesItsTriggers(t *testing.T) {
	for what, breakIt := range map[string]func(cancel func(), n *node){
		"cancelled":         func(cancel func(), _ *node) { cancel() },
		"connection broken": func(_ func(), n *node) { n.conn.Close() },
	} {
		synctest.Test(t, func(t *testing.T) {
			n := run(t)
			e := newEngine(n)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			stream, err := n.WatchJobs(ctx)
			if err != nil {
				t.Fatal(err)
			}
			first := &schedulerv1.WatchJobsRequest_Initial{Initial: hello("ns", "app")}
			send(t, stream, &schedulerv1.WatchJobsRequest{WatchJobRequestType: first})
			synctest.Wait()
			for _, name := range []string{"a", "b", "c"} {
				e.mustDeliver(t, appTarget("ns", "app"), name)
			}
			recv(t, stream)
			send(t, stream, wire.Result(1, job.Handled))
			synctest.Wait()
			breakIt(cancel, n)
			e.want(t, map[string]job.Outcome{"a": job.Handled, "b": job.Lost, "c": job.Lost})
			if e.deliver(appTarget("ns", "app"), "d") {
				t.Errorf("%s: a trigger was taken after the only stream had gone", what)
			}
		})
	}
}

func TestStreamReceivesOnlyWhatItAccepts(t *testing.T) {
	all := map[string]job.Target{
		"own jobs": appTarget("ns", "app"), "other app": appTarget("ns", "app2"), "other namespace": appTarget("ns2", "app"),
		"t1": actorTarget("ns", "t1"), "t2": actorTarget("ns", "t2"), "t1 elsewhere": actorTarget("ns2", "t1"),
	}
	for what, tc := range map[string]struct {
		accept []schedulerv1.JobTargetType
		types  []string
		want   []string
	}{
		"nothing said":            {nil, []string{"t1"}, []string{"own jobs", "t1"}},
		"jobs":                    {[]schedulerv1.JobTargetType{acceptJob}, []string{"t1"}, []string{"own jobs"}},
		"reminders":               {[]schedulerv1.JobTargetType{acceptActor}, []string{"t1", "t2"}, []string{"t1", "t2"}},
		"reminders without types": {[]schedulerv1.JobTargetType{acceptActor}, nil, nil},
	} {
		synctest.Test(t, func(t *testing.T) {
			n := run(t)
			e := newEngine(n)
			initial := hello("ns", "app", tc.types...)
			initial.AcceptJobTypes = tc.accept
			n.watch(t, initial)
			synctest.Wait()
			if got := n.dispatch.Stats(); got.Streams != 1 { // idle, if need be, but alive
				t.Errorf("%s: %+v", what, got)
			}
			got, want := make(map[string]bool), make(map[string]bool)
			for name, target := range all {
				got[name] = e.deliver(target, name)
				want[name] = false
			}
			for _, name := range tc.want {
				want[name] = true
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s: -want +got\n%s", what, diff)
			}
		})
	}
}

func TestClientThatDoesNotReadBlocksNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := run(t)
		e := newEngine(n)
		n.watch(t, hello("ns", "app")) // never reads
		synctest.Wait()
		reader := n.watch(t, hello("ns", "app"))
		synctest.Wait()
		const each = 3000
		for i := range 2 * each {
			e.mustDeliver(t, appTarget("ns", "app"), fmt.Sprint(i))
		}
		for id := range uint64(each) {
			recv(t, reader)
			send(t, reader, wire.Result(id+1, job.Handled))
		}
		synctest.Wait()
		if got := n.dispatch.Stats().InFlight; got != each {
			t.Errorf("%d are in flight, want the slow stream's %d", got, each)
		}
	})
}

func TestHostListIsSentOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := run(t)
		ctx, cancel := context.WithTimeout(t.Context(), 24*time.Hour)
		defer cancel()
		stream, err := n.WatchHosts(ctx, new(schedulerv1.WatchHostsRequest))
		if err != nil {
			t.Fatal(err)
		}
		got, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		want := &schedulerv1.WatchHostsResponse{Hosts: []*schedulerv1.Host{{Address: "a:1"}, {Address: "b:2"}}}
		if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
		if _, err := stream.Recv(); status.Code(err) != codes.DeadlineExceeded {
			t.Errorf("a day later: %v, want nothing more until the deadline", err)
		}
	})
}
