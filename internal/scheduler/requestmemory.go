package scheduler

import (
	"carillon/internal/bulkv1"
	"carillon/internal/limits"
	"carillon/internal/peerv1"
)

// maxRequest is how many bytes a message of a client may have. The largest job that can be stored
// has half of that (scheduler specification §1.4), so that a larger message need not be read.
const maxRequest = 4 << 20

// newMessages returns the limits of received messages. It reserves memory for the other nodes of
// the cluster: their clients were admitted already.
func newMessages(bytes int64) *limits.MessageMemory {
	return &limits.MessageMemory{
		Budget: limits.NewBudget(max(bytes, limits.MinMessageBytes)), Max: maxRequest, Codec: newCodec(),
		Waiting: []string{
			bulkv1.Bulk_ScheduleJobs_FullMethodName, bulkv1.Bulk_ScheduleJobsWithExt_FullMethodName, peerv1.Peer_Apply_FullMethodName,
		},
		Reserved: []string{peerv1.Peer_Apply_FullMethodName},
	}
}
