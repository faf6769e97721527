package apiserver

import (
	"net/http"

	"carillon/internal/job"
)

// handle handles a request of the HTTP API. It checks in Dapr's order: first the token, or
// without one the browser's headers; then the route; then what the route is about.
func (a *httpAPI) handle(w http.ResponseWriter, r *http.Request) {
	to := matchRoute(r.Method, r.URL)
	if to.resource != healthResource && to.resource != outboundHealthResource {
		if reason, code := a.auth.refuse(r); reason != "" {
			if code == http.StatusUnauthorized {
				a.auth.explainToken(w, r)
			}
			if r.ContentLength != 0 { // otherwise the response would wait for the body
				w.Header().Set("Connection", "close")
			}
			http.Error(w, reason, code)
			return
		}
	}
	r.Header.Del(tokenHeader)
	switch to.resource {
	case healthResource:
		a.getHealth(w, r)
	case outboundHealthResource:
		a.getOutboundHealth(w)
	case shutdownResource:
		a.postShutdown(w, r)
	case jobResource, jobsResource, batchResource, metadataResource, metadataKeyResource:
		if !a.calls.begin() {
			writeAPIError(w, a.calls.tooMany(job.Target{}))
			return
		}
		defer a.calls.end()
		a.handleCall(w, r, to)
	default:
		writeAPIError(w, noRoute(r))
	}
}

// handleCall handles a request that counts among the calls in flight.
func (a *httpAPI) handleCall(w http.ResponseWriter, r *http.Request, to route) {
	switch to.resource {
	case metadataResource:
		a.getMetadata(w)
	case metadataKeyResource:
		a.putMetadata(w, r, to)
	case batchResource:
		a.postBatch(w, r)
	case jobsResource:
		a.listJobs(w, r)
	default:
		a.handleJob(w, r, to)
	}
}

// handlePublic handles a request on a public listener. It requires no token, and changes nothing.
func (a *httpAPI) handlePublic(w http.ResponseWriter, r *http.Request) {
	switch matchRoute(r.Method, r.URL).resource {
	case healthResource:
		a.getHealth(w, r)
	case outboundHealthResource:
		a.getOutboundHealth(w)
	case metadataResource:
		if reason := a.auth.browsers.Refuse(r); reason != "" {
			http.Error(w, reason, http.StatusForbidden)
			return
		}
		a.getMetadata(w)
	default:
		http.NotFound(w, r)
	}
}
