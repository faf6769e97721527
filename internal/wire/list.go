package wire

import (
	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"google.golang.org/grpc/status"

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
	return p, k.Check()
}

// bulkError wraps what is wrong with the metadata of a bulk delete as Dapr does: the code stays.
func bulkError(err error) error {
	return status.Errorf(status.Code(err), "failed to parse metadata: %v", err)
}

// NamedJob returns i as a list shows it. It shares i's data.
func NamedJob(i job.Item) *schedulerv1.NamedJob {
	return &schedulerv1.NamedJob{
		Name:     i.Key.Name,
		Metadata: Metadata(i.Key, i.Spec.AppID, i.Spec.ConcurrencyKey),
		Job:      Job(i.Spec),
	}
}
