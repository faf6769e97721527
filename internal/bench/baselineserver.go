package bench

import (
	"context"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"
	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// The baseline servers of [ServeBaseline].
const (
	BaselineEcho   = "baseline-echo"   // a Scheduler service that only answers: unary calls and streams
	BaselineAppend = "baseline-append" // its ScheduleJob first writes the request to a synced database
	BaselineFile   = "baseline-file"   // its ScheduleJob first appends 256 bytes to a file and syncs it
	BaselineHTTP   = "baseline-http"   // an HTTP server that reads the body and answers 204
)

// Baselines returns the names of all baselines.
func Baselines() []string { return []string{BaselineEcho, BaselineAppend, BaselineFile, BaselineHTTP} }

// triggersHeader is the metadata of a WatchJobs call with the number of triggers to send, and
// triggerBytesHeader the metadata with the size of their data.
const (
	triggersHeader     = "carillon-bench-triggers"
	triggerBytesHeader = "carillon-bench-payload"
)

// ServeBaseline serves the baseline of that name on l until ctx ends. It writes to the directory
// dir.
func ServeBaseline(ctx context.Context, name string, l net.Listener, dir string) error {
	switch name {
	case BaselineEcho:
		return serveGRPC(ctx, l, baselineServer{})
	case BaselineAppend:
		db, err := pebble.Open(dir, &pebble.Options{FormatMajorVersion: pebble.FormatNewest, Logger: discardLogger{}})
		if err != nil {
			return fmt.Errorf("open the database of %s: %w", name, err)
		}
		defer db.Close()
		return serveGRPC(ctx, l, baselineServer{db: db})
	case BaselineFile:
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("create the directory of %s: %w", name, err)
		}
		f, err := os.Create(filepath.Join(dir, "log"))
		if err != nil {
			return fmt.Errorf("open the file of %s: %w", name, err)
		}
		defer f.Close()
		return serveGRPC(ctx, l, baselineServer{file: &syncedFile{f: f}})
	case BaselineHTTP:
		return serveHTTP(ctx, l)
	default:
		return fmt.Errorf("there is no baseline server %q", name)
	}
}

// discardLogger drops what Pebble logs.
type discardLogger struct{}

func (discardLogger) Infof(string, ...any) {}

func (discardLogger) Errorf(string, ...any) {}

// Fatalf panics: Pebble does not expect it to return.
func (discardLogger) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

func serveGRPC(ctx context.Context, l net.Listener, n baselineServer) error {
	s := grpc.NewServer(grpc.MaxRecvMsgSize(math.MaxInt32))
	schedulerv1.RegisterSchedulerServer(s, n)
	defer context.AfterFunc(ctx, s.Stop)()
	return s.Serve(l)
}

func serveHTTP(ctx context.Context, l net.Listener) error {
	s := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return // the client is gone
		}
		w.WriteHeader(http.StatusNoContent)
	})}
	defer context.AfterFunc(ctx, func() { _ = s.Close() })()
	if err := s.Serve(l); ctx.Err() == nil {
		return err
	}
	return nil
}

// baselineServer implements the Scheduler service without scheduling anything.
type baselineServer struct {
	schedulerv1.UnimplementedSchedulerServer
	db   *pebble.DB  // nil: no database
	file *syncedFile // nil: no file
}

// syncedFile is a file that is synced after each append. It is safe for concurrent use.
type syncedFile struct {
	mu sync.Mutex
	f  *os.File // guarded by mu
}

func (b *syncedFile) append() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, err := b.f.Write(make([]byte, syncBytes)); err != nil {
		return err
	}
	return b.f.Sync()
}

// ScheduleJob acknowledges the job.
func (n baselineServer) ScheduleJob(_ context.Context, r *schedulerv1.ScheduleJobRequest) (*schedulerv1.ScheduleJobResponse, error) {
	if n.db != nil {
		value, err := proto.Marshal(r)
		if err != nil {
			return nil, err
		}
		if err := n.db.Set([]byte(r.GetMetadata().GetAppId()+r.GetName()), value, pebble.Sync); err != nil {
			return nil, err
		}
	}
	if n.file != nil {
		if err := n.file.append(); err != nil {
			return nil, err
		}
	}
	return new(schedulerv1.ScheduleJobResponse), nil
}

// WatchJobs sends as many triggers as the call's metadata says and ends when they are answered.
func (n baselineServer) WatchJobs(stream schedulerv1.Scheduler_WatchJobsServer) error {
	count, bytes := header(stream.Context(), triggersHeader), header(stream.Context(), triggerBytesHeader)
	initial, err := stream.Recv()
	if err != nil {
		return err
	}
	var g errgroup.Group
	g.Go(func() error {
		for range count {
			if _, err := stream.Recv(); err != nil {
				return err
			}
		}
		return nil
	})
	g.Go(func() error {
		data := &anypb.Any{Value: make([]byte, bytes)}
		m := meta(initial.GetInitial().GetAppId())
		for i := range count {
			trigger := &schedulerv1.WatchJobsResponse{Id: uint64(i + 1), Name: strconv.Itoa(i), Data: data, Metadata: m}
			if err := stream.Send(trigger); err != nil {
				return err
			}
		}
		return nil
	})
	return g.Wait()
}

// header returns the number in that metadata of a call; 0 if there is none.
func header(ctx context.Context, name string) int {
	values := metadata.ValueFromIncomingContext(ctx, name)
	if len(values) == 0 {
		return 0
	}
	number, err := strconv.Atoi(values[0])
	if err != nil {
		return 0
	}
	return number
}
