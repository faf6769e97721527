package management

import (
	"strings"

	"carillon/internal/job"
)

// appName returns the name of the resource of an app or an actor type.
func appName(t job.Target) string {
	collection := apps
	if t.Kind == job.Actor {
		collection = actorTypes
	}
	return strings.Join([]string{namespaces, t.Namespace, collection, t.Name}, "/")
}

// parseAppName is the inverse of appName.
func parseAppName(name string) (job.Target, error) {
	if v, ok := matchName(name, namespaces, apps); ok {
		return checkTarget(job.Target{Kind: job.App, Namespace: v[0], Name: v[1]})
	}
	if v, ok := matchName(name, namespaces, actorTypes); ok {
		return checkTarget(job.Target{Kind: job.Actor, Namespace: v[0], Name: v[1]})
	}
	return job.Target{}, invalid("name", "it must be namespaces/{namespace}/apps/{app}, or namespaces/{namespace}/actorTypes/{type}")
}

// checkTarget returns t, or the error of a name that breaks a rule of keys.
func checkTarget(t job.Target) (job.Target, error) {
	return t, nameError("name", job.Key{Target: t}.Check())
}

// parseAppsParent returns what is below the parent of a list of apps.
func parseAppsParent(parent string) (job.Selector, error) {
	v, ok := matchName(parent, namespaces)
	switch {
	case !ok:
		return job.Selector{}, invalid("parent", "it must be namespaces/{namespace}, with - for any")
	case v[0] == anyPart:
		return job.Selector{}, nil
	}
	return job.Selector{Namespace: v[0]}, nil
}
