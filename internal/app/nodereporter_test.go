package app_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	pb "carillon/internal/managementv1"
)

// manage gets a resource from the management API.
func (w *world) manage(path string, to proto.Message) {
	w.t.Helper()
	transport := &http.Transport{
		DialContext:       func(ctx context.Context, _, _ string) (net.Conn, error) { return w.management.DialContext(ctx) },
		DisableKeepAlives: true,
	}
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, "http://localhost:3510"+path, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		w.t.Fatalf("GET %s = %d, %s, %v", path, resp.StatusCode, body, err)
	}
	if err := protojson.Unmarshal(body, to); err != nil {
		w.t.Fatal(err)
	}
}

func TestNodeSaysHowItIsAndWhoIsConnected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, vfs.NewMem())
		defer w.stop()
		began := time.Now()
		time.Sleep(time.Hour)
		w.schedule("tick", `{"schedule": "@every 1h"}`)
		if code, answer := w.call("POST", "/v1.0-alpha1/jobs/late", `{"dueTime": "0s"}`, [2]string{"dapr-app-id", "absent"}); code != http.StatusAccepted {
			t.Fatalf("schedule for another app: %d %s", code, answer)
		}
		due := time.Now()
		time.Sleep(time.Minute)

		var nodes pb.ListNodesResponse
		w.manage("/v1/nodes", &nodes)
		if len(nodes.GetNodes()) != 1 {
			t.Fatalf("nodes: %v, want one", &nodes)
		}
		n := nodes.GetNodes()[0]
		if n.GetName() != "nodes/one" || n.GetState() != pb.Node_LIVE || n.GetVersion() != "1.2" || !n.GetStartTime().AsTime().Equal(began) {
			t.Errorf("the node: %v, want that it is live since %v", n, began)
		}
		if n.GetOwnedPartitionCount() != 64 || n.GetStreamCount() == 0 || n.GetCommitTimes().GetCount() == 0 || n.GetRefusesJobs() || len(n.GetProblems()) > 0 {
			t.Errorf("the node: %v, want 64 partitions, the streams of its own sidecar, and nothing wrong", n)
		}

		var apps pb.ListAppsResponse
		w.manage("/v1/namespaces/default/apps", &apps)
		if len(apps.GetApps()) != 2 || apps.GetNextPageToken() != "" {
			t.Fatalf("apps: %v, want absent and sub", &apps)
		}
		absent, sub := apps.GetApps()[0], apps.GetApps()[1]
		if absent.GetConnected() || !absent.GetHasJobs() || absent.GetOverdue().GetCount() != 1 || !absent.GetOverdue().GetExact() ||
			!absent.GetOverdue().GetOldestDueTime().AsTime().Equal(due) {
			t.Errorf("the app without a sidecar: %v, want one job that is overdue since %v", absent, due)
		}
		if !sub.GetConnected() || !sub.GetHasJobs() || sub.GetOverdue().GetCount() != 0 ||
			sub.GetStreamCount() != n.GetStreamCount() || len(sub.GetStreams()) != int(n.GetStreamCount()) {
			t.Fatalf("the app with a sidecar: %v, want the %d streams of the node", sub, n.GetStreamCount())
		}
		if s := sub.GetStreams()[0]; s.GetNode() != "nodes/one" || s.GetAppId() != "sub" || s.GetAddress() != "" || !s.GetConnectTime().AsTime().Equal(began) {
			t.Errorf("a stream of the own sidecar: %v, want one since %v, without an address", s, began)
		}
	})
}
