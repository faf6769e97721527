package appcmd

import (
	"cmp"
	"strings"

	pb "carillon/internal/managementv1"
)

// Values of the flag --kind.
const (
	kindApp       = "app"
	kindActorType = "actor-type"
	kindAny       = "any"
)

const (
	defaultNamespace = "default"
	anyPart          = "-" // stands for any part of a parent
)

// An appID is what names an app or an actor type.
type appID struct {
	namespace, kind, name string
}

// parseAppID returns the ID in the name of a resource of the management API.
func parseAppID(resource string) (id appID, ok bool) {
	p := strings.Split(resource, "/")
	if len(p) != 4 || p[0] != "namespaces" {
		return appID{}, false
	}
	switch p[2] {
	case "apps":
		return appID{p[1], kindApp, p[3]}, true
	case "actorTypes":
		return appID{p[1], kindActorType, p[3]}, true
	}
	return appID{}, false
}

// resource returns the name of the resource.
func (id appID) resource() string {
	collection := "apps"
	if id.kind == kindActorType {
		collection = "actorTypes"
	}
	return parentOfApps(id.namespace) + "/" + collection + "/" + id.name
}

// idOf returns the ID of an app.
func idOf(a *pb.App) appID {
	id, _ := parseAppID(a.GetName())
	return id
}

// kindOf returns the kind of an app in the words of --kind.
func kindOf(a *pb.App) string { return idOf(a).kind }

// kindTerm returns the term of a filter for a value of --kind.
func kindTerm(kind string) string {
	if kind == kindActorType {
		return "kind = " + pb.App_ACTOR_TYPE.String()
	}
	return "kind = " + pb.App_APP.String()
}

// parentOfApps returns the parent of the apps of a namespace, the default one if it is empty.
func parentOfApps(namespace string) string {
	return "namespaces/" + cmp.Or(namespace, defaultNamespace)
}

// nodeID returns the ID in the name of a node.
func nodeID(name string) string { return strings.TrimPrefix(name, "nodes/") }
