package scheduler

import (
	"cmp"
	"context"
	"slices"
	"time"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"carillon/internal/batchstream"
	"carillon/internal/bulkv1"
	"carillon/internal/job"
	"carillon/internal/limits"
)

// Limits of a bulk stream. A message with more jobs ends its stream. While the maximum of messages
// is in flight, no more are received, and flow control blocks the client.
const (
	maxBulkJobs     = 1000
	maxBulkMessages = 8
)

// A bulkServer implements carillon.v1.Bulk. It is a type of its own because Dapr might add a method
// named Schedule to its service.
type bulkServer struct {
	bulkv1.UnimplementedBulkServer
	server *server
}

// Schedule stores the jobs of a stream, several messages at a time: while the jobs of one are
// written to the disk, those of the next are prepared. It returns nil when the client has closed
// its side or the server stops, after it has answered all messages that it began.
func (b bulkServer) Schedule(stream bulkv1.Bulk_ScheduleServer) error {
	s := b.server
	closing, end := context.WithCancel(stream.Context())
	defer end()
	defer s.atClose(end)()
	return batchstream.Serve(closing, stream, batchstream.ServerConfig[bulkv1.ScheduleRequest, bulkv1.ScheduleResponse]{
		MaxInFlight: maxBulkMessages,
		Check: func(m *bulkv1.ScheduleRequest) error {
			if n := len(m.GetJobs()); n > maxBulkJobs {
				return tooManyJobs(n)
			}
			return nil
		},
		Begin: func(ctx context.Context, m *bulkv1.ScheduleRequest) func(context.Context) *bulkv1.ScheduleResponse {
			return s.begin(ctx, s.cfg.Now(), m.GetJobs()).answer
		},
		Go: s.receivers.Go, Contain: contain,
	})
}

// A bulkGroup is the jobs of one message.
type bulkGroup struct {
	server   *server
	response *bulkv1.ScheduleResponse
	requests []job.Request
	indices  []int // in the message, of requests
	results  func(context.Context) []error
}

// begin resolves jobs as of now and schedules those that are valid, in order.
func (s *server) begin(ctx context.Context, now time.Time, jobs []*schedulerv1.ScheduleJobRequest) *bulkGroup {
	g := &bulkGroup{
		server: s, response: new(bulkv1.ScheduleResponse),
		requests: make([]job.Request, 0, len(jobs)), indices: make([]int, 0, len(jobs)),
	}
	for i, r := range jobs {
		var request job.Request
		err := s.translate(ctx, bulkv1.Bulk_Schedule_FullMethodName, func() (err error) {
			if err := s.checkQuota(ctx, r); err != nil {
				if status.Code(err) == codes.ResourceExhausted {
					limits.Throttle(ctx, 1) // as the server does for a unary call
				}
				return err
			}
			request, err = s.request(now, r)
			return err
		})
		if err != nil {
			g.refuse(i, err)
			continue
		}
		g.requests, g.indices = append(g.requests, request), append(g.indices, i)
	}
	g.results = s.jobs.ScheduleAll(ctx, g.requests)
	return g
}

// answer waits until all jobs are stored or refused, or ctx ends.
func (g *bulkGroup) answer(ctx context.Context) *bulkv1.ScheduleResponse {
	var stored [job.Actor + 1]int
	for i, err := range g.results(ctx) {
		k := g.requests[i].Key
		if err == nil {
			stored[k.Target.Kind]++
			continue
		}
		err = g.server.notStored(k, err)
		g.refuse(g.indices[i], g.server.translate(ctx, bulkv1.Bulk_Schedule_FullMethodName, func() error { return err }))
	}
	for kind, n := range stored {
		if n > 0 {
			g.server.metrics.created.WithLabelValues(job.Kind(kind).String()).Add(float64(n))
		}
	}
	slices.SortFunc(g.response.GetRefused(), func(a, b *bulkv1.Refusal) int { return cmp.Compare(a.GetIndex(), b.GetIndex()) })
	return g.response
}

func (g *bulkGroup) refuse(index int, err error) {
	s := status.Convert(err)
	g.response.Refused = append(g.response.Refused,
		&bulkv1.Refusal{Index: uint32(index), Code: int32(s.Code()), Message: s.Message()})
}
