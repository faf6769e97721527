package forward

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"carillon/internal/cluster"
	"carillon/internal/engine"
	"carillon/internal/engine/record"
	"carillon/internal/job"
	"carillon/internal/peerv1"
	"carillon/internal/store/pebblestore"
)

func named(name string) job.Key {
	return job.Key{Target: job.Target{Kind: job.App, Namespace: "ns", Name: "app"}, Name: name}
}

func TestOvertakenCommandIsNotRetried(t *testing.T) {
	request := func(name string) job.Request { return job.Request{Key: named(name)} }
	all := []job.Request{request("a"), request("b"), request("a"), request("b"), request("c")}
	lost := errors.New("lost")
	for name, c := range map[string]struct {
		errs        []error // as they were met
		again, rest []int
	}{
		"nothing was overtaken":        {[]error{lost, lost, lost, lost, lost}, []int{0, 1, 2, 3, 4}, []int{0, 1, 2, 3, 4}},
		"one was":                      {[]error{lost, lost, nil, lost, lost}, []int{0, 1, 3, 4}, []int{1, 3, 4}},
		"one that is carried out last": {[]error{nil, nil, lost, nil, lost}, []int{2, 4}, []int{2, 4}},
		"by one that failed":           {[]error{lost, nil, lost, nil, nil}, []int{0}, []int{0}},
	} {
		errs := append([]error(nil), c.errs...)
		rest := dropOvertaken(all, errs, c.again)
		if fmt.Sprint(rest) != fmt.Sprint(c.rest) {
			t.Errorf("%s: %v are tried again, want %v", name, rest, c.rest)
		}
		for _, i := range c.again {
			kept := false
			for _, r := range c.rest {
				kept = kept || r == i
			}
			if !kept && !errors.Is(errs[i], job.ErrUnavailable) {
				t.Errorf("%s: command %d was overtaken and gets %v, want ErrUnavailable", name, i, errs[i])
			}
		}
	}
}

func TestErrorsSurviveForwarding(t *testing.T) {
	r := &Router{log: slog.New(slog.DiscardHandler)}
	for _, want := range []error{engine.ErrNotOwner, job.ErrExists, job.ErrFull, job.ErrUnavailable} {
		if got := fromProblem("b", problem(t.Context(), r.log, 7, want)); !errors.Is(got, want) || errors.Is(got, engine.ErrNotOwner) != errors.Is(want, engine.ErrNotOwner) {
			t.Errorf("%v becomes %v", want, got)
		}
	}
	var large *job.TooLargeError
	if got := fromProblem("b", problem(t.Context(), r.log, 7, &job.TooLargeError{Size: 3, Limit: 2})); !errors.As(got, &large) || *large != (job.TooLargeError{Size: 3, Limit: 2}) {
		t.Errorf("a job that is too large becomes %v", got)
	}
	if got := problem(t.Context(), r.log, 7, errors.New("a secret")); got.GetIndex() != 7 || !errors.Is(fromProblem("b", got), errInternal) {
		t.Errorf("what a node keeps to itself becomes %v", got)
	}
}

func TestErrorOfFullOwnerNamesIt(t *testing.T) {
	var full *job.FullError
	err := fromProblem("b", &peerv1.Problem{Kind: peerv1.Problem_FULL})
	if !errors.As(err, &full) || !strings.Contains(full.Reason, "node b") || !strings.Contains(full.Reason, "free space") {
		t.Errorf("the error of a full node b is %v, want one that names it and says what to do", err)
	}
}

func TestAnswerThatDoesNotFitItsMessageIsRefused(t *testing.T) {
	answer := func(indices ...uint32) *peerv1.ApplyResponse {
		m := new(peerv1.ApplyResponse)
		for _, i := range indices {
			m.Problems = append(m.Problems, &peerv1.Problem{Index: i, Kind: peerv1.Problem_EXISTS})
		}
		return m
	}
	for _, indices := range [][]uint32{{3}, {1, 0}, {1, 1}} {
		if errs, err := fromProblems("b", answer(indices...), 3); err == nil {
			t.Errorf("problems of the commands %v of three are taken for %v", indices, errs)
		}
	}
	errs, err := fromProblems("b", answer(0, 2), 3)
	if err != nil || !errors.Is(errs[0], job.ErrExists) || errs[1] != nil || !errors.Is(errs[2], job.ErrExists) {
		t.Errorf("problems of the first and the last = %v, %v", errs, err)
	}
}

func TestCommandBeyondLimitIsTooLarge(t *testing.T) {
	p, err := newPeer(cluster.Node{ID: "b", Addr: "b"}, func(string, ...grpc.DialOption) (*grpc.ClientConn, error) {
		return grpc.NewClient("passthrough:///b", grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) { return nil, errors.New("no network") }))
	})
	if err != nil {
		t.Fatal(err)
	}
	defer p.conn.Close()
	request := func(bytes int) job.Request {
		return job.Request{Key: named("x"), Spec: job.Spec{Policy: job.DefaultPolicy(), AppID: "app", Data: &job.Data{Value: make([]byte, bytes)}}}
	}
	errs := p.schedule(t.Context(), []job.Request{request(3 << 20), request(5 << 20), request(2 << 20)})
	var large *job.TooLargeError
	if !errors.Is(errs[0], engine.ErrNotOwner) || !errors.As(errs[1], &large) || !errors.Is(errs[2], engine.ErrNotOwner) {
		t.Errorf("commands of 3, 5 and 2 MiB to a node that is not connected = %v; want that two have not begun, and one is too large", errs)
	}
}

// alone returns a router of a node "a" whose engine has two partitions, of none of which it is the
// owner yet.
func alone(t *testing.T) *Router {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	db, err := pebblestore.Open(pebblestore.Config{Dir: "store", FS: vfs.NewMem(), NoTickers: true}, log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return New(Config{ID: "a"}, engine.New(engine.Config{Partitions: 2, Shared: true}, db, nil, log), log)
}

func TestPeerCommandsOfOtherOwnersAreNotBegun(t *testing.T) {
	r := alone(t)
	key, spec := record.EncodeRequest(&job.Request{Key: named("x"), Spec: job.Spec{Policy: job.DefaultPolicy(), AppID: "app"}})
	m := &peerv1.ApplyRequest{Commands: []*peerv1.Command{{Key: key, Spec: spec}}}
	for _, owners := range [][]string{nil, {"b", "b"}} {
		r.Follow(cluster.View{Owners: owners})
		answer, err := r.Apply(t.Context(), m)
		if err != nil {
			t.Fatal(err)
		}
		problems := answer.GetProblems()
		if len(problems) != 1 || problems[0].GetKind() != peerv1.Problem_NOT_OWNER {
			t.Errorf("with the owners %q the answer is %v, want NOT_OWNER", owners, problems)
		}
	}
}

func TestNodeIsUnhealthyUntilItsPartitionsAreLoaded(t *testing.T) {
	r := alone(t)
	if err := r.Health(); err == nil {
		t.Error("a node that is no member is healthy")
	}
	r.Follow(cluster.View{Owners: []string{"a", "b"}})
	if err := r.Health(); err == nil || err.Error() != "1 of the node's partitions are not loaded yet" {
		t.Errorf("Health without a partition = %v", err)
	}
	r.Follow(cluster.View{Owners: []string{"b", "b"}})
	if err := r.Health(); err != nil {
		t.Errorf("Health of a node that owns nothing = %v", err)
	}
}

func TestWaitingCallIsSentWhenOwnersChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := alone(t)
		_, changed := r.send(t.Context(), []job.Request{{Key: named("x")}}, []int{0}, make([]error, 1))
		begin := time.Now()
		time.AfterFunc(time.Millisecond, func() { r.Follow(cluster.View{Owners: []string{"b", "b"}}) })
		if !pause(t.Context(), changed, time.Hour) || time.Since(begin) > time.Second {
			t.Errorf("it waited for %v after a change", time.Since(begin))
		}
	})
}
