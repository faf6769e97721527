package apiserver

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"carillon/internal/job"
	"carillon/internal/wire"
)

// getHealth answers whether the sidecar is healthy: ready, and without a failed check.
func (a *httpAPI) getHealth(w http.ResponseWriter, r *http.Request) {
	if missing := a.readiness.missing(); len(missing) > 0 {
		message := "dapr is not ready: [" + strings.Join(missing, " ") + "]"
		writeAPIError(w, wire.NewAPIError(wire.ReasonNotReady, job.Target{}, message).WithHelp(a.readiness.help(missing)))
		return
	}
	if a.check != nil {
		if err := a.check(); err != nil {
			writeAPIError(w, wire.NewAPIError(wire.ReasonNotReady, job.Target{}, "dapr is not ready: "+err.Error()))
			return
		}
	}
	if app := r.URL.Query().Get("appid"); app != "" && !a.targets.mayName(app) {
		writeAPIError(w, wire.NewAPIError(wire.ReasonOtherHealth, job.Target{}, "dapr app-id does not match").WithHelp(
			fmt.Sprintf("this is the sidecar of the app %.100q", a.targets.defaultApp)))
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// getOutboundHealth answers that the API works. It does as soon as the server listens.
func (a *httpAPI) getOutboundHealth(w http.ResponseWriter) { w.WriteHeader(http.StatusNoContent) }

func (a *httpAPI) getMetadata(w http.ResponseWriter) {
	body, err := wire.RenderMetadata(a.metadata.describe())
	if err != nil {
		writeError(w, job.Target{}, err)
		return
	}
	writeJSON(w, http.StatusOK, body)
}

// putMetadata sets an entry to the body. The key is decoded like the name of a job.
func (a *httpAPI) putMetadata(w http.ResponseWriter, r *http.Request, to route) {
	key, err := url.QueryUnescape(to.name)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	body, held, err := a.bodies.read(r, job.Target{})
	if err != nil {
		writeError(w, job.Target{}, err)
		return
	}
	defer held.release()
	if err := a.metadata.set(key, string(body)); err != nil {
		writeError(w, job.Target{}, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (a *httpAPI) postShutdown(w http.ResponseWriter, r *http.Request) {
	w.WriteHeader(http.StatusNoContent)
	a.shutdowns.request(strings.EqualFold(r.Header.Get(forceHeader), "true"))
}
