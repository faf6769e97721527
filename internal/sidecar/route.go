package sidecar

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
	aJob
	health
	outboundHealth
	allMetadata
	oneMetadata
	theEnd
	manyJobs
)

// A route is where a request goes.
type route struct {
	resource resource
	name     string // of the job, or the key of metadata; still escaped
	singular bool   // the path says /job/, as the published page once does
}

// match finds the route of a request. http.ServeMux would not do: it redirects a path that is not clean where Dapr
// cleans it silently, answers 405 to another verb where Dapr answers 404, and decodes a segment with the rules of paths
// where Dapr decodes with those of queries.
func match(method string, u *url.URL) route {
	escaped := u.RawPath // as it was sent, if that is not the usual way to escape the path
	if escaped == "" {
		escaped = u.EscapedPath()
	}
	if !strings.HasPrefix(escaped, "/") {
		return route{}
	}
	escaped = path.Clean(escaped)
	switch method + " " + escaped {
	case "GET /v1.0/healthz":
		return route{resource: health}
	case "GET /v1.0/healthz/outbound":
		return route{resource: outboundHealth}
	case "GET /v1.0/metadata":
		return route{resource: allMetadata}
	case "POST /v1.0/shutdown":
		return route{resource: theEnd}
	case "POST /v1/jobs/batch":
		return route{resource: manyJobs}
	}
	if key, ok := strings.CutPrefix(escaped, "/v1.0/metadata/"); ok && method == http.MethodPut && !strings.Contains(key, "/") {
		return route{resource: oneMetadata, name: key}
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
	return route{resource: aJob, name: name, singular: noun == "job"}
}
