package sidecar

import (
	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"carillon/internal/batchstream"
	"carillon/internal/bulkv1"
)

// A bulkStream carries schedule calls to one scheduler. A job that is too large for any message is not for streams.
type bulkStream = batchstream.Client[*schedulerv1.ScheduleJobRequest, bulkv1.ScheduleRequest, bulkv1.ScheduleResponse]

// maxBulkJob is how many bytes a job may have that goes over a stream.
const maxBulkJob = 4<<20 - 16

func newBulkStream(client bulkv1.Bulk_ScheduleClient) *bulkStream {
	return batchstream.NewClient(batchstream.ClientConfig[*schedulerv1.ScheduleJobRequest, bulkv1.ScheduleRequest, bulkv1.ScheduleResponse]{
		MaxCalls: 1000, MaxBytes: 1 << 20, MaxInFlight: 4,
		Pack: func(jobs []*schedulerv1.ScheduleJobRequest) *bulkv1.ScheduleRequest {
			return &bulkv1.ScheduleRequest{Jobs: jobs}
		},
		Unpack: unpackBulk,
	}, client)
}

// unpackBulk returns how the n jobs of a message ended.
func unpackBulk(m *bulkv1.ScheduleResponse, n int) ([]error, error) {
	errs := make([]error, n)
	next := 0
	for _, r := range m.GetRefused() {
		i := int(r.GetIndex())
		if i < next || i >= n {
			return nil, status.Error(codes.Internal, "the scheduler refused what it was not asked")
		}
		errs[i], next = status.Error(codes.Code(r.GetCode()), r.GetMessage()), i+1
	}
	return errs, nil
}

func sizesOf(all []*schedulerv1.ScheduleJobRequest) []int {
	sizes := make([]int, len(all))
	for i, r := range all {
		sizes[i] = proto.Size(r)
	}
	return sizes
}
