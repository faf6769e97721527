package management

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"carillon/internal/engine"
	"carillon/internal/job"
	pb "carillon/internal/managementv1"
)

// A verb is one thing that a caller may do.
type verb string

const (
	verbGet     verb = "jobs.get"
	verbList    verb = "jobs.list"
	verbPayload verb = "jobs.payload" // see payloads
	verbExplain verb = "schedules.explain"
)

// A role is a set of verbs with a name. Each role has the verbs of those before it.
type role uint8

const (
	viewer role = iota
	operator
	admin
)

// roles returns the roles by their names.
func roles() map[string]role {
	return map[string]role{"viewer": viewer, "operator": operator, "admin": admin}
}

// verbs returns all verbs, with the first role that has each.
func verbs() map[verb]role {
	return map[verb]role{
		verbGet:     viewer,
		verbList:    viewer,
		verbPayload: operator,
		verbExplain: viewer,
	}
}

// A permission is what a method of the API requires.
type permission struct {
	verb    verb
	audited bool // each call is a line in the audit log
}

// permissions returns what each method requires. A method that is not among them is refused.
func permissions() map[string]permission {
	return map[string]permission{
		pb.Management_GetJob_FullMethodName:                  {verb: verbGet}, // with the view FULL also verbPayload, audited
		pb.Management_ListJobs_FullMethodName:                {verb: verbList},
		pb.Management_CountJobs_FullMethodName:               {verb: verbList},
		pb.Management_ExplainJob_FullMethodName:              {verb: verbGet},
		pb.Management_ListUpcomingOccurrences_FullMethodName: {verb: verbGet},
		pb.Management_ExplainSchedule_FullMethodName:         {verb: verbExplain},
	}
}

// A principal is who makes a call, and what they may do.
type principal struct {
	name       string // of the token; empty if no token is needed
	verbs      map[verb]bool
	namespaces []string // nil: all
	apps       []string // nil: all
}

// may reports whether c has the verb.
func (c *principal) may(v verb) bool { return c.verbs[v] }

// mayCover reports whether c may see something of the namespace.
func (c *principal) mayCover(namespace string) bool {
	return c.namespaces == nil || slices.Contains(c.namespaces, namespace)
}

// covers reports whether c may see the job.
func (c *principal) covers(v *engine.JobView) bool {
	return c.mayCover(v.Key.Target.Namespace) && (c.apps == nil || slices.Contains(c.apps, v.Spec.AppID))
}

// mayList reports whether all that s selects is within what c may see, as far as keys tell. So no
// page or its token has the names of others.
func (c *principal) mayList(s job.Selector) bool {
	if c.namespaces != nil && (s.Namespace == "" || !c.mayCover(s.Namespace)) {
		return false
	}
	return c.apps == nil || s.Kind == job.App && slices.Contains(c.apps, s.Target)
}

var errScope = withDetails(codes.PermissionDenied, "OUT_OF_SCOPE",
	"the token covers only some namespaces or apps: ask for what it covers, and name its namespace and app", nil)

// denied returns the error of a caller without a verb.
func denied(v verb) error {
	return withDetails(codes.PermissionDenied, "MISSING_VERB", fmt.Sprintf("the token has not the verb %s, which this call needs", v), nil)
}

type callerKey struct{}

// An admission is the caller of a request, or why there is none.
type admission struct {
	caller *principal
	err    error
	from   string // the address of the client
}

// admittedAs returns a context of a request with this admission.
func admittedAs(ctx context.Context, a admission) context.Context {
	return context.WithValue(ctx, callerKey{}, a)
}

// callerOf returns the caller of a call that authorize has let in.
func callerOf(ctx context.Context) *principal {
	a, _ := ctx.Value(callerKey{}).(admission)
	return a.caller
}

// authorize returns the error of a call that its caller may not make, or nil.
func (s *Server) authorize(ctx context.Context, method string) error {
	a, ok := ctx.Value(callerKey{}).(admission)
	p, known := permissions()[method]
	switch {
	case !known:
		return withDetails(codes.Unimplemented, "UNKNOWN_METHOD", "unknown method "+method, nil)
	case ok && a.err != nil:
		return a.err
	case !ok || a.caller == nil:
		return errNoToken
	case !a.caller.may(p.verb):
		return denied(p.verb)
	}
	if p.audited {
		s.audit(ctx, p.verb, method)
	}
	return nil
}

// audit writes a line to the audit log: who did what, and from where.
func (s *Server) audit(ctx context.Context, v verb, resource string) {
	a, _ := ctx.Value(callerKey{}).(admission)
	s.log.LogAttrs(ctx, slog.LevelInfo, "audit", slog.String("who", a.caller.name), slog.String("verb", string(v)),
		slog.String("resource", resource), slog.String("from", a.from))
}

// intercept is the interceptor of all calls, over gRPC and JSON.
func (s *Server) intercept(ctx context.Context, req any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (resp any, err error) {
	select {
	case s.calls <- struct{}{}:
		defer func() { <-s.calls }()
	default:
		return nil, withDetails(codes.ResourceExhausted, "TOO_MANY_CALLS", "too many calls of the management API: try again later", nil)
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	err = contain(func() (err error) {
		if err := s.authorize(ctx, info.FullMethod); err != nil {
			return err
		}
		if err := checkRules(req.(proto.Message)); err != nil {
			return err
		}
		resp, err = handle(ctx, req)
		return err
	})
	return resp, statusOf(ctx, s.log, info.FullMethod, err)
}

// verbNames returns all verbs for a message, in order.
func verbNames() string {
	var all []string
	for v := range verbs() {
		all = append(all, string(v))
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}
