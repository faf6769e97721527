package apiserver

import (
	"fmt"
	"unicode/utf8"

	"carillon/internal/job"
	"carillon/internal/wire"
)

// appHeader names the app that a request is about, as an HTTP header or gRPC metadata.
const appHeader = "dapr-app-id"

// A targetResolver finds out which app a request is about.
type targetResolver struct {
	namespace, defaultApp string
	anyApp                bool // a request may name any app, not only defaultApp
}

// mayName reports whether a request may name the app.
func (t targetResolver) mayName(app string) bool { return t.anyApp || app == t.defaultApp }

// resolve returns the app that a request is about, given the values of its app header. An empty
// value counts as absent: it comes from a variable that was not set.
func (t targetResolver) resolve(header []string) (job.Target, error) {
	target := job.Target{Kind: job.App, Namespace: t.namespace, Name: t.defaultApp}
	var named string
	if len(header) > 0 {
		named = header[0]
	}
	switch {
	case len(header) > 1:
		return target, wire.NewAPIError(wire.ReasonAppInvalid, target, "the header dapr-app-id is there more than once: send it once")
	case !utf8.ValidString(named):
		return target, wire.NewAPIError(wire.ReasonAppInvalid, target, "the header dapr-app-id is not UTF-8: send the app id as text")
	case named == "" && target.Name == "":
		return target, wire.NewAPIError(wire.ReasonAppMissing, target,
			"no app id: name the app in the header dapr-app-id, as there is no default app")
	case named != "" && !t.mayName(named):
		return target, wire.NewAPIError(wire.ReasonAppForbidden, target,
			fmt.Sprintf("the header dapr-app-id names the app %q, and this sidecar serves only %q: leave the header out, or call the sidecar of that app", named, target.Name))
	case named != "":
		target.Name = named
	}
	return target, nil
}
