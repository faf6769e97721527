package wire

import (
	"errors"
	"fmt"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/anypb"

	"carillon/internal/job"
)

// Prefix returns what m names without a job's name: the jobs of an app, the reminders of an actor, or, if the actor's
// id is empty, those of all actors of exactly that type. The error is ready for a client (scheduler specification §1.7).
func Prefix(m *schedulerv1.JobMetadata) (job.Prefix, error) {
	k, err := Key("", m)
	if err != nil {
		return job.Prefix{}, err
	}
	p := job.Prefix{Kind: k.Target.Kind, Namespace: k.Target.Namespace, Parts: []string{k.Target.Name}}
	if k.ActorID != "" {
		p.Parts = append(p.Parts, k.ActorID)
	}
	return p, nil
}

// DeletePrefix returns what r deletes. Where ids match by their prefix, so do app ids; an actor type is always matched
// as a whole. The error is ready for a client (scheduler specification §1.8).
func DeletePrefix(r *schedulerv1.DeleteByMetadataRequest) (job.Prefix, error) {
	p, err := Prefix(r.GetMetadata())
	if err != nil {
		return job.Prefix{}, bulkError(err)
	}
	if last := len(p.Parts) - 1; r.GetIdPrefixMatch() && (p.Kind == job.App || last > 0) {
		p.Parts, p.Rest = p.Parts[:last], p.Parts[last]
	}
	return p, nil
}

// NamePrefix returns what r deletes: the jobs of an app or the reminders of an actor by the beginning of their names;
// if the actor's id is empty, the reminders of actors by the beginning of their ids. The error is ready for a client
// (scheduler specification §1.9).
func NamePrefix(r *schedulerv1.DeleteByNamePrefixRequest) (job.Prefix, error) {
	p, err := Prefix(r.GetMetadata())
	if err != nil {
		return job.Prefix{}, bulkError(err)
	}
	p.Rest = r.GetNamePrefix()
	k, err := Key(p.Rest+"a", r.GetMetadata()) // the shortest name that could match, as Dapr checks it
	if err != nil {
		return job.Prefix{}, bulkError(err)
	}
	err = k.Check()
	if e, ok := errors.AsType[*job.InvalidError](err); ok { // about a name that nobody has given
		e.Help = fmt.Sprintf("no name begins with %.100q", p.Rest)
	}
	return p, err
}

// bulkError wraps what is wrong with the metadata of a bulk delete as Dapr does: the code stays.
func bulkError(err error) error {
	return status.Errorf(status.Code(err), "failed to parse metadata: %v", err)
}

// A Listing makes the entries of a list one after another, in the same messages: jobs of one list are much alike. The
// zero Listing is ready. It is not safe for concurrent use.
type Listing struct {
	entry schedulerv1.NamedJob
	job   schedulerv1.Job
	data  anypb.Any
	last  job.Item // what entry shows
}

// NamedJob returns i as a list shows it, until it is called again. It shares i's data, and must not be changed.
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

// sameMetadata reports whether two jobs surely have the same metadata.
func sameMetadata(a, b job.Item) bool {
	return a.Key.Target == b.Key.Target && a.Key.ActorID == b.Key.ActorID && a.Spec.AppID == b.Spec.AppID &&
		a.Spec.ConcurrencyKey == nil && b.Spec.ConcurrencyKey == nil
}
