package wire

import (
	"errors"
	"fmt"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"google.golang.org/grpc/status"

	"carillon/internal/job"
)

// Prefix returns the prefix of the jobs that m selects: those of an app, the reminders of an actor,
// or, if the id of the actor is empty, those of all actors of the type. The error is ready for a
// client (scheduler specification §1.7).
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

// DeletePrefix returns the prefix of the jobs that r deletes. If r matches ids by prefix, that
// includes app ids; an actor type always matches as a whole. The error is ready for a client
// (scheduler specification §1.8).
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

// NamePrefix returns the prefix of the jobs that r deletes: jobs of an app, or reminders of an
// actor, by the prefix of their names. If the id of the actor is empty, it is the prefix of ids.
// The error is ready for a client (scheduler specification §1.9).
func NamePrefix(r *schedulerv1.DeleteByNamePrefixRequest) (job.Prefix, error) {
	p, err := Prefix(r.GetMetadata())
	if err != nil {
		return job.Prefix{}, bulkError(err)
	}
	p.Rest = r.GetNamePrefix()
	k, err := Key(p.Rest+"a", r.GetMetadata()) // the shortest name that can match: Dapr checks that
	if err != nil {
		return job.Prefix{}, bulkError(err)
	}
	err = k.Check()
	if e, ok := errors.AsType[*job.InvalidError](err); ok { // about the name made up here
		e.Help = fmt.Sprintf("no name begins with %.100q", p.Rest)
	}
	return p, err
}

// bulkError wraps an error of the metadata of a bulk delete as Dapr does, with the same code.
func bulkError(err error) error {
	return status.Errorf(status.Code(err), "failed to parse metadata: %v", err)
}
