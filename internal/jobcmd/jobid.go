package jobcmd

import (
	"fmt"
	"strings"
)

// A jobID is what names a job of an app, or a reminder of an actor.
type jobID struct {
	namespace        string
	app              string // empty for a reminder
	actorType, actor string // empty for a job
	name             string
}

// parseResource returns the ID in the name of a resource of the management API.
func parseResource(resource string) (id jobID, ok bool) {
	p := strings.Split(resource, "/")
	switch {
	case len(p) == 6 && p[0] == "namespaces" && p[2] == "apps" && p[4] == "jobs":
		return jobID{namespace: p[1], app: p[3], name: p[5]}, true
	case len(p) == 8 && p[0] == "namespaces" && p[2] == "actorTypes" && p[4] == "actors" && p[6] == "reminders":
		return jobID{namespace: p[1], actorType: p[3], actor: p[5], name: p[7]}, true
	}
	return jobID{}, false
}

// parseStockName returns the ID in a name as Dapr's command line has it, whose namespace is not known.
func parseStockName(name string) (id jobID, ok bool) {
	p := strings.Split(name, "/")
	switch {
	case len(p) == 3 && p[0] == "app":
		return jobID{app: p[1], name: p[2]}, true
	case len(p) == 4 && p[0] == "actor":
		return jobID{actorType: p[1], actor: p[2], name: p[3]}, true
	}
	return jobID{}, false
}

// resource returns the name of the resource.
func (id jobID) resource() string {
	if id.app != "" {
		return fmt.Sprintf("namespaces/%s/apps/%s/jobs/%s", id.namespace, id.app, id.name)
	}
	return fmt.Sprintf("namespaces/%s/actorTypes/%s/actors/%s/reminders/%s", id.namespace, id.actorType, id.actor, id.name)
}

// stockName returns the name as Dapr's command line has it.
func (id jobID) stockName() string {
	if id.app != "" {
		return strings.Join([]string{"app", id.app, id.name}, "/")
	}
	return strings.Join([]string{"actor", id.actorType, id.actor, id.name}, "/")
}

// target returns the app, or the type and the ID of the actor.
func (id jobID) target() string {
	if id.app != "" {
		return id.app
	}
	return id.actorType + "/" + id.actor
}

// complete reports whether no part is missing.
func (id jobID) complete() bool {
	return id.namespace != "" && id.name != "" && (id.app != "" || id.actorType != "" && id.actor != "")
}
