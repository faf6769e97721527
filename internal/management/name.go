package management

import (
	"strings"

	"carillon/internal/job"
)

// Collections of the names of resources.
const (
	namespaces = "namespaces"
	apps       = "apps"
	jobs       = "jobs"
	actorTypes = "actorTypes"
	actors     = "actors"
	reminders  = "reminders"
)

// anyPart stands for any part of a parent.
const anyPart = "-"

// jobName returns the name of the resource of a job or a reminder.
func jobName(k job.Key) string {
	if k.Target.Kind == job.Actor {
		return strings.Join([]string{namespaces, k.Target.Namespace, actorTypes, k.Target.Name, actors, k.ActorID, reminders, k.Name}, "/")
	}
	return strings.Join([]string{namespaces, k.Target.Namespace, apps, k.Target.Name, jobs, k.Name}, "/")
}

// parseJobName is the inverse of jobName.
func parseJobName(name string) (job.Key, error) {
	if v, ok := matchName(name, namespaces, apps, jobs); ok {
		k := job.Key{Target: job.Target{Kind: job.App, Namespace: v[0], Name: v[1]}, Name: v[2]}
		return k, nameError("name", k.Check())
	}
	if v, ok := matchName(name, namespaces, actorTypes, actors, reminders); ok {
		k := job.Key{Target: job.Target{Kind: job.Actor, Namespace: v[0], Name: v[1]}, ActorID: v[2], Name: v[3]}
		return k, nameError("name", k.Check())
	}
	return job.Key{}, invalid("name", "it must be namespaces/{namespace}/apps/{app}/jobs/{job}, or "+
		"namespaces/{namespace}/actorTypes/{type}/actors/{actor}/reminders/{reminder}")
}

// parseParent returns what is below the parent of a list.
func parseParent(parent string) (job.Selector, error) {
	some := func(part string) string {
		if part == anyPart {
			return ""
		}
		return part
	}
	if v, ok := matchName(parent, namespaces); ok {
		return job.Selector{Namespace: some(v[0])}, nil
	}
	if v, ok := matchName(parent, namespaces, apps); ok {
		return job.Selector{Kind: job.App, Namespace: some(v[0]), Target: some(v[1])}, nil
	}
	if v, ok := matchName(parent, namespaces, actorTypes, actors); ok {
		return job.Selector{Kind: job.Actor, Namespace: some(v[0]), Target: some(v[1]), ActorID: some(v[2])}, nil
	}
	return job.Selector{}, invalid("parent", "it must be namespaces/{namespace}, namespaces/{namespace}/apps/{app} or "+
		"namespaces/{namespace}/actorTypes/{type}/actors/{actor}, with - for any")
}

// matchName splits a name into the parts that follow each of the collections. No part is empty.
func matchName(name string, collections ...string) (parts []string, ok bool) {
	all := strings.Split(name, "/")
	if len(all) != 2*len(collections) {
		return nil, false
	}
	for i, c := range collections {
		if all[2*i] != c || all[2*i+1] == "" {
			return nil, false
		}
		parts = append(parts, all[2*i+1])
	}
	return parts, true
}
