package scheduler

import (
	"iter"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"

	"carillon/internal/bulkv1"
	"carillon/internal/job"
	"carillon/internal/peerv1"
)

// A codec is the protobuf codec with two additions: it sends an [encodedList] as it is, and it
// refuses a message that would be many times larger when it is decoded.
type codec struct{ encoding.CodecV2 }

func newCodec() codec { return codec{encoding.GetCodecV2(proto.Name)} }

// Marshal implements [encoding.CodecV2].
func (c codec) Marshal(v any) (mem.BufferSlice, error) {
	if l, ok := v.(*encodedList); ok {
		return l.pieces, nil
	}
	return c.CodecV2.Marshal(v)
}

// maxBulkJobs is how many jobs a call of carillon.v1.Bulk may have.
const maxBulkJobs = 1000

// maxBulkLabels is how many labels the jobs of such a call may have.
const maxBulkLabels = maxBulkJobs * job.MaxLabels

// maxWatchMessage is how many bytes a message of WatchJobs may have. The first one may have
// maxInitial.
const maxWatchMessage = 512 << 10

// Unmarshal implements [encoding.CodecV2].
func (c codec) Unmarshal(data mem.BufferSlice, v any) error {
	switch v.(type) {
	case *bulkv1.ScheduleJobsRequest, *peerv1.ApplyRequest:
		if n := countItems(data); n > maxBulkJobs {
			return tooManyJobs(n)
		}
	case *bulkv1.ScheduleJobsWithExtRequest:
		if n := countItems(data); n > maxBulkJobs {
			return tooManyJobs(n)
		}
		if n := countLabels(data); n > maxBulkLabels {
			return status.Errorf(codes.InvalidArgument,
				"the call has %d labels, and at most %d are accepted", n, maxBulkLabels)
		}
	case *schedulerv1.WatchJobsRequest:
		if n := data.Len(); n > maxWatchMessage {
			return status.Errorf(codes.ResourceExhausted,
				"a message of WatchJobs has %d bytes, and at most %d are accepted", n, maxWatchMessage)
		}
	}
	return c.CodecV2.Unmarshal(data, v)
}

// countItems returns how many items field 1 of an encoded message has. An empty item has two bytes,
// and a hundred when it is decoded. For a message too small to exceed the limit it returns 0, and
// for an invalid one the items before the error.
func countItems(data mem.BufferSlice) (n int) {
	if len(data) != 1 || data.Len() <= maxBulkJobs {
		return 0
	}
	for b := data[0].ReadOnlyData(); len(b) > 0; {
		number, _, length := protowire.ConsumeField(b)
		if length < 0 {
			return n
		}
		if number == 1 {
			n++
		}
		b = b[length:]
	}
	return n
}

// countLabels returns how many labels the jobs of an encoded ScheduleJobsWithExtRequest have. An
// empty label has two bytes, and many more when it is decoded. For a message too small to exceed the
// limit it returns 0, and for an invalid one the labels before the error.
func countLabels(data mem.BufferSlice) (n int) {
	if len(data) != 1 || data.Len() <= maxBulkLabels {
		return 0
	}
	for j := range fieldsOf(data[0].ReadOnlyData(), 1) {
		for ext := range fieldsOf(j, 2) {
			for range fieldsOf(ext, 1) {
				n++
			}
		}
	}
	return n
}

// fieldsOf yields those fields of an encoded message with this number that have a length. It ends
// at an error.
func fieldsOf(b []byte, number protowire.Number) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for len(b) > 0 {
			n, kind, tag := protowire.ConsumeTag(b)
			if tag < 0 {
				return
			}
			length := protowire.ConsumeFieldValue(n, kind, b[tag:])
			if length < 0 {
				return
			}
			if n == number && kind == protowire.BytesType {
				if value, _ := protowire.ConsumeBytes(b[tag:]); !yield(value) {
					return
				}
			}
			b = b[tag+length:]
		}
	}
}

func tooManyJobs(n int) error {
	return status.Errorf(codes.InvalidArgument,
		"the call has %d jobs, and at most %d are accepted: make several calls", n, maxBulkJobs)
}
