package apiserver

import (
	"net/http"

	"carillon/internal/job"
)

// httpHandler returns the handler of the HTTP API.
func (s *Server) httpHandler() http.HandlerFunc {
	counted := s.metrics.count(http.HandlerFunc(s.handleHTTP)).ServeHTTP
	if s.cfg.LogCalls {
		return s.logHTTP(counted)
	}
	return counted
}

// handleHTTP handles a request of the HTTP API. It checks in Dapr's order: first the token, or
// without one the browser's headers; then the route; then what the route is about.
func (s *Server) handleHTTP(w http.ResponseWriter, r *http.Request) {
	to := matchRoute(r.Method, r.URL)
	if to.resource != healthResource && to.resource != outboundHealthResource {
		if reason, code := s.refuse(r); reason != "" {
			if code == http.StatusUnauthorized {
				s.explainToken(w, r)
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
		s.getHealth(w, r)
	case outboundHealthResource:
		s.getOutboundHealth(w)
	case shutdownResource:
		s.postShutdown(w, r)
	case jobResource, batchResource, metadataResource, metadataKeyResource:
		if !s.calls.begin() {
			writeAPIError(w, s.calls.tooMany(job.Target{}))
			return
		}
		defer s.calls.end()
		s.handleCall(w, r, to)
	default:
		writeAPIError(w, noRoute(r))
	}
}

// handleCall handles a request that counts among the calls in work.
func (s *Server) handleCall(w http.ResponseWriter, r *http.Request, to route) {
	switch to.resource {
	case metadataResource:
		s.getMetadata(w)
	case metadataKeyResource:
		s.putMetadata(w, r, to)
	case batchResource:
		s.postBatch(w, r)
	default:
		s.handleJob(w, r, to)
	}
}

// handlePublic handles a request on a public listener. It requires no token, and changes nothing.
func (s *Server) handlePublic(w http.ResponseWriter, r *http.Request) {
	switch matchRoute(r.Method, r.URL).resource {
	case healthResource:
		s.getHealth(w, r)
	case outboundHealthResource:
		s.getOutboundHealth(w)
	case metadataResource:
		if reason := s.browsers.Refuse(r); reason != "" {
			http.Error(w, reason, http.StatusForbidden)
			return
		}
		s.getMetadata(w)
	default:
		http.NotFound(w, r)
	}
}
