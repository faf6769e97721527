package management

import (
	"context"
	"fmt"
	"slices"

	"google.golang.org/grpc/codes"

	"carillon/internal/engine"
	"carillon/internal/job"
)

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

// mayListApps reports whether c may list apps of a namespace, or of all if it is empty. A list for one
// who may see only some apps is about one namespace.
func (c *principal) mayListApps(namespace string) bool {
	if namespace == "" {
		return c.coversAll()
	}
	return c.mayCover(namespace)
}

// coversTarget reports whether c may see an app or an actor type. One who may see only some apps
// sees no actor type: it is nobody's alone.
func (c *principal) coversTarget(t job.Target) bool {
	return c.mayCover(t.Namespace) && (c.apps == nil || t.Kind == job.App && slices.Contains(c.apps, t.Name))
}

// coversAll reports whether c may see all namespaces and apps.
func (c *principal) coversAll() bool { return c.namespaces == nil && c.apps == nil }

// selectors returns what selects all that c may list, and nothing else.
func (c *principal) selectors() (all []job.Selector) {
	spaces, apps := c.namespaces, c.apps
	if spaces == nil {
		spaces = []string{""}
	}
	for _, n := range spaces {
		if apps == nil {
			all = append(all, job.Selector{Namespace: n})
		}
		for _, a := range apps {
			all = append(all, job.Selector{Kind: job.App, Namespace: n, Target: a})
		}
	}
	return all
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
