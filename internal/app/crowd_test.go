package app_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"carillon/internal/app"
	"carillon/internal/memnet"
	"carillon/internal/scheduler"
	"carillon/internal/store/pebblestore"
)

// TestThousandSidecarsReconnectAtOnce restarts a scheduler with a thousand sidecars, which all reconnect
// at the same moment. Each receives the triggers of its own app.
func TestThousandSidecarsReconnectAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const sidecars = 1000
		disk := vfs.NewMem()
		p := startScheduler(t, disk)
		for i := range sidecars {
			p.schedule("tick", jobMeta(fmt.Sprint("app", i)), &schedulerv1.Job{Schedule: new("@every 10s"), Repeats: new(uint32(3))})
		}
		for life := range 2 {
			connected := make([]*watcher, sidecars)
			var crowd sync.WaitGroup
			for i := range sidecars {
				crowd.Go(func() { connected[i] = p.connect(fmt.Sprint("app", i)) })
			}
			crowd.Wait()
			begin := time.Now()
			time.Sleep(10 * time.Second)
			for i, w := range connected {
				if got := w.names(); len(got) != 1 {
					t.Errorf("life %d: sidecar %d received %v within %v, want its one tick", life, i, got, time.Since(begin))
				}
				w.cancel()
			}
			p.stop()
			p = startScheduler(t, disk)
		}
		p.stop()
	})
}

// connect opens a stream for an app. It answers each trigger with success.
func (p *peer) connect(appID string) *watcher {
	ctx, cancel := context.WithCancel(p.t.Context())
	stream, err := p.WatchJobs(ctx)
	if err != nil {
		p.t.Error(err)
		cancel()
		return nil
	}
	w := &watcher{t: p.t, stream: stream, cancel: cancel, answer: always(success)}
	initial := &schedulerv1.WatchJobsRequestInitial{AppId: appID, Namespace: "ns"}
	w.send(&schedulerv1.WatchJobsRequest{WatchJobRequestType: &schedulerv1.WatchJobsRequest_Initial{Initial: initial}})
	go w.receive()
	return w
}

// TestMetricsDoNotGrowWithJobNames compares the number of series after one job and after many.
func TestMetricsDoNotGrowWithJobNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, metrics := memnet.Listen(), memnet.Listen()
		node, err := app.OpenScheduler(app.Config{
			Store:     pebblestore.Config{Dir: "store", FS: vfs.NewMem(), NoTickers: true},
			Scheduler: scheduler.Config{Hosts: []string{"here:1"}},
		}, app.SchedulerListeners{Scheduler: l, Health: memnet.Listen(), Metrics: metrics}, slog.New(slog.NewTextHandler(t.Output(), nil)))
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- node.Run(ctx) }()
		conn, err := grpc.NewClient("passthrough:///memory", grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) }))
		if err != nil {
			t.Fatal(err)
		}
		p := &peer{SchedulerClient: schedulerv1.NewSchedulerClient(conn), t: t, conn: conn}
		w := p.watch("app", []string{"type"}, always(success))
		series := func(jobs int) (n int) {
			for i := range jobs {
				p.schedule(fmt.Sprint("job", jobs, "-", i), jobMeta("app"), &schedulerv1.Job{DueTime: new("0s")})
				p.schedule("reminder", actorMeta("app", "type", fmt.Sprint(jobs, "-", i)), &schedulerv1.Job{DueTime: new("0s")})
			}
			if got := len(w.names()); got != 2*jobs {
				t.Errorf("%d triggers came, want %d", got, 2*jobs)
			}
			_, body := get(t, metrics, "/")
			for line := range strings.Lines(body) {
				if !strings.HasPrefix(line, "#") {
					n++
				}
			}
			return n
		}
		few := series(1)
		if many := series(500); many != few {
			t.Errorf("there are %d series after two jobs, and %d after a thousand", few, many)
		}
		w.cancel()
		_ = conn.Close()
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		synctest.Wait()
	})
}
