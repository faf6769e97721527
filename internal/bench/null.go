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

// The nulls that [ServeNull] knows.
const (
	NullEcho   = "null-echo"   // the Scheduler service with nothing behind it: unary calls and streams
	NullSynced = "null-synced" // its ScheduleJob writes the request to a database, synced, before it answers
	NullBare   = "null-bare"   // its ScheduleJob appends 256 bytes to a file and syncs it, and nothing else
	NullHTTP   = "null-http"   // an HTTP server that reads the body and answers 204
)

// Nulls returns the names of all nulls.
func Nulls() []string { return []string{NullEcho, NullSynced, NullBare, NullHTTP} }

// triggersHeader is the metadata of a WatchJobs call that says how many triggers the null is to send, and triggerBytes
// is the one that says how large they are.
const (
	triggersHeader     = "carillon-bench-triggers"
	triggerBytesHeader = "carillon-bench-payload"
)

// ServeNull serves the null of that name on l until ctx ends. It keeps what it writes in the folder dir.
func ServeNull(ctx context.Context, name string, l net.Listener, dir string) error {
	switch name {
	case NullEcho:
		return serveGRPC(ctx, l, null{})
	case NullSynced:
		db, err := pebble.Open(dir, &pebble.Options{FormatMajorVersion: pebble.FormatNewest, Logger: quiet{}})
		if err != nil {
			return fmt.Errorf("open the database of %s: %w", name, err)
		}
		defer db.Close()
		return serveGRPC(ctx, l, null{db: db})
	case NullBare:
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("make the folder of %s: %w", name, err)
		}
		f, err := os.Create(filepath.Join(dir, "log"))
		if err != nil {
			return fmt.Errorf("open the file of %s: %w", name, err)
		}
		defer f.Close()
		return serveGRPC(ctx, l, null{file: &bare{f: f}})
	case NullHTTP:
		return serveHTTP(ctx, l)
	default:
		return fmt.Errorf("there is no null %q", name)
	}
}

// quiet drops what Pebble tells.
type quiet struct{}

func (quiet) Infof(string, ...any)  {}
func (quiet) Errorf(string, ...any) {}

// Fatalf panics: Pebble does not expect it to return.
func (quiet) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

func serveGRPC(ctx context.Context, l net.Listener, n null) error {
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

// null implements the Scheduler service without doing anything.
type null struct {
	schedulerv1.UnimplementedSchedulerServer
	db   *pebble.DB // nil if nothing is written to it
	file *bare      // nil likewise
}

// A bare file is appended to and synced, by one at a time.
type bare struct {
	mu sync.Mutex
	f  *os.File // guarded by mu
}

func (b *bare) append() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, err := b.f.Write(make([]byte, syncBytes)); err != nil {
		return err
	}
	return b.f.Sync()
}

// ScheduleJob acknowledges the job.
func (n null) ScheduleJob(_ context.Context, r *schedulerv1.ScheduleJobRequest) (*schedulerv1.ScheduleJobResponse, error) {
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
func (n null) WatchJobs(stream schedulerv1.Scheduler_WatchJobsServer) error {
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

// header returns the number in the metadata of a call, or 0.
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
