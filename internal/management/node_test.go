package management_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	pb "carillon/internal/managementv1"
	"carillon/internal/peerv1"
)

// threeNodes are reports on a node in each state.
func threeNodes(since time.Time) []peerv1.NodeReport {
	return []peerv1.NodeReport{
		{ID: "a", Address: "a:50006", Member: true, Status: &peerv1.NodeStatus{
			Version: "1.2", OwnedPartitions: 40, LoadingPartitions: 2, StreamCount: 3, InFlightCount: 5, InFlightLimit: 100,
			RefusesJobs: true, Overloaded: true, DiskFreeBytes: 10, DiskTotalBytes: 20,
			CommitCount: 7, CommitP50: durationpb.New(time.Millisecond), CommitP99: durationpb.New(time.Second),
			MemoryLimitBytes: 1 << 30, Problems: []string{"the disk is full"},
		}},
		{ID: "b:%", Address: "b:50006", Member: true, Problem: "it does not answer", Since: since},
		{ID: "c", Address: "c:50006", Problem: "it is no member", Since: since},
	}
}

func TestNodesAreListedInEachState(t *testing.T) {
	run(t, func(t *testing.T, w *world) {
		since := time.Now()
		w.nodes = threeNodes(since)
		c := w.client("")
		page, err := c.ListNodes(t.Context(), new(pb.ListNodesRequest))
		if err != nil || len(page.GetNodes()) != 3 || page.GetNextPageToken() != "" {
			t.Fatalf("ListNodes = %v, %v, want three nodes", page, err)
		}
		for i, want := range []pb.Node_State{pb.Node_LIVE, pb.Node_UNREACHABLE, pb.Node_LOST} {
			n := page.GetNodes()[i]
			if n.GetState() != want || n.GetAddress() != w.nodes[i].Address || (n.GetMessage() == "") != (want == pb.Node_LIVE) {
				t.Errorf("node %d: %v, want that it is %v", i, n, want)
			}
			if live := want == pb.Node_LIVE; live != (n.GetSinceTime() == nil) || !live && !n.GetSinceTime().AsTime().Equal(since) {
				t.Errorf("node %d is not live since %v, want %v", i, n.GetSinceTime(), since)
			}
		}
		a := page.GetNodes()[0]
		if a.GetOwnedPartitionCount() != 40 || a.GetLoadingPartitionCount() != 2 || a.GetStreamCount() != 3 ||
			a.GetInFlightCount() != 5 || a.GetInFlightLimit() != 100 || !a.GetRefusesJobs() || !a.GetOverloaded() ||
			a.GetDisk().GetFreeBytes() != 10 || a.GetDisk().GetTotalBytes() != 20 || a.GetVersion() != "1.2" ||
			a.GetCommitTimes().GetCount() != 7 || a.GetCommitTimes().GetP50().AsDuration() != time.Millisecond ||
			a.GetCommitTimes().GetP99().AsDuration() != time.Second || a.GetMemoryLimitBytes() != 1<<30 || len(a.GetProblems()) != 1 {
			t.Errorf("node a: %v, want what it says of itself", a)
		}
		var names []string
		r := &pb.ListNodesRequest{PageSize: 2}
		for {
			page, err := c.ListNodes(t.Context(), r)
			if err != nil || len(page.GetNodes()) > 2 {
				t.Fatalf("%v: %v, %v", r, page, err)
			}
			for _, n := range page.GetNodes() {
				names = append(names, n.GetName())
			}
			if r.PageToken = page.GetNextPageToken(); r.GetPageToken() == "" {
				break
			}
		}
		if got := strings.Join(names, " "); got != "nodes/a nodes/b:% nodes/c" {
			t.Errorf("pages of two: %s", got)
		}
	})
}

func TestNodeIsFoundByItsName(t *testing.T) {
	run(t, func(t *testing.T, w *world) {
		w.nodes = threeNodes(time.Now())
		for path, want := range map[string]int{
			"/v1/nodes": http.StatusOK, "/v1/nodes/a": http.StatusOK, "/v1/nodes/b%3A%25": http.StatusOK,
			"/v1/nodes/missing": http.StatusNotFound, "/v1/nodes/a%2Fb": http.StatusBadRequest,
			"/v1/nodes?pageToken=x": http.StatusBadRequest, "/v1/nodes?pageSize=1001": http.StatusBadRequest,
		} {
			if code, body := w.get(path); code != want {
				t.Errorf("GET %s = %d, %v, want %d", path, code, body, want)
			}
		}
		if _, body := w.get("/v1/nodes/b%3A%25"); body["name"] != "nodes/b:%" || body["state"] != "UNREACHABLE" {
			t.Errorf("the node b:%%: %v", body)
		}
		if _, err := w.client("").GetNode(t.Context(), &pb.GetNodeRequest{Name: "a"}); status.Code(err) != codes.InvalidArgument {
			t.Errorf("a name without a collection: %v, want InvalidArgument", err)
		}
	})
}
