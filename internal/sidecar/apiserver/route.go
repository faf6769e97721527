package apiserver

import (
	"net/http"
	"net/url"
	"path"
	"strings"
)

// A resource is what a path of the HTTP API is about.
type resource uint8

const (
	noResource resource = iota
	jobResource
	jobsResource
	healthResource
	outboundHealthResource
	metadataResource
	metadataKeyResource
	shutdownResource
	batchResource
)

// A route is what a request is about.
type route struct {
	resource resource
	name     string // of the job, or the key of metadata; escaped
	singular bool   // the path has /job/, as in one place of the published documentation
}

// matchRoute returns the route of a request. http.ServeMux differs from Dapr: it redirects a path
// that is not clean where Dapr cleans it; it answers 405 to another method where Dapr answers 404;
// and it decodes a segment by the rules of paths where Dapr uses those of queries.
func matchRoute(method string, u *url.URL) route {
	escaped := u.RawPath // as it was sent, if that differs from the default encoding
	if escaped == "" {
		escaped = u.EscapedPath()
	}
	if !strings.HasPrefix(escaped, "/") {
		return route{}
	}
	// Ours; Dapr has no such route. Paths that only path.Clean makes equal stay without a route: a
	// client that forgets the name of a job in /v1.0/jobs/NAME must not get a list.
	if method == http.MethodGet && (escaped == "/v1.0/jobs" || escaped == "/v1.0-alpha1/jobs") {
		return route{resource: jobsResource}
	}
	escaped = path.Clean(escaped)
	switch method + " " + escaped {
	case "GET /v1.0/healthz":
		return route{resource: healthResource}
	case "GET /v1.0/healthz/outbound":
		return route{resource: outboundHealthResource}
	case "GET /v1.0/metadata":
		return route{resource: metadataResource}
	case "POST /v1.0/shutdown":
		return route{resource: shutdownResource}
	case "POST /v1/jobs/batch":
		return route{resource: batchResource}
	}
	key, ok := strings.CutPrefix(escaped, "/v1.0/metadata/")
	if ok && method == http.MethodPut && !strings.Contains(key, "/") {
		return route{resource: metadataKeyResource, name: key}
	}
	switch method {
	case http.MethodGet, http.MethodPost, http.MethodDelete:
	default:
		return route{}
	}
	rest, ok := strings.CutPrefix(escaped, "/v1.0/")
	if !ok {
		if rest, ok = strings.CutPrefix(escaped, "/v1.0-alpha1/"); !ok {
			return route{}
		}
	}
	noun, name, ok := strings.Cut(rest, "/")
	if !ok || name == "" || strings.Contains(name, "/") || noun != "jobs" && noun != "job" {
		return route{}
	}
	return route{resource: jobResource, name: name, singular: noun == "job"}
}
