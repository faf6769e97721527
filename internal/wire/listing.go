package wire

import (
	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"google.golang.org/protobuf/types/known/anypb"

	"carillon/internal/job"
)

// A Listing makes the entries of a list, one after another. It reuses messages, because the jobs of
// one list are much alike. The zero value is ready for use. It is not safe for concurrent use.
type Listing struct {
	entry schedulerv1.NamedJob
	job   schedulerv1.Job
	data  anypb.Any
	last  job.Item // the item in entry
}

// NamedJob returns the entry of i, which is valid until the next call. It shares the data of i, and
// must not be modified.
func (l *Listing) NamedJob(i job.Item) *schedulerv1.NamedJob {
	if l.entry.Metadata == nil || !sameMetadata(i, l.last) {
		l.entry.Metadata = Metadata(i.Key, i.Spec.AppID, i.Spec.ConcurrencyKey)
	}
	if l.job.FailurePolicy == nil || !i.Spec.Policy.Equal(l.last.Spec.Policy) {
		l.job.FailurePolicy = policyTo(i.Spec.Policy)
	}
	l.last = i
	setWords(&l.job, i.Spec.Words)
	l.job.Data = nil
	if d := i.Spec.Data; d != nil {
		l.data.TypeUrl, l.data.Value = d.TypeURL, d.Value
		l.job.Data = &l.data
	}
	l.entry.Name, l.entry.Job = i.Key.Name, &l.job
	return &l.entry
}

// sameMetadata reports whether two jobs certainly have the same metadata.
func sameMetadata(a, b job.Item) bool {
	return a.Key.Target == b.Key.Target && a.Key.ActorID == b.Key.ActorID && a.Spec.AppID == b.Spec.AppID &&
		a.Spec.ConcurrencyKey == nil && b.Spec.ConcurrencyKey == nil
}
