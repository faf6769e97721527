package apiserver

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"carillon/internal/job"
	"carillon/internal/limits"
	"carillon/internal/wire"
)

// A dialect is how the HTTP API reports success and shows data.
type dialect struct {
	done, got int // status codes
	published bool
}

func dialectOf(published bool) dialect {
	if published {
		return dialect{done: http.StatusAccepted, got: http.StatusAccepted, published: true}
	}
	return dialect{done: http.StatusNoContent, got: http.StatusOK}
}

// handleJob handles a request about one job.
func (a *httpAPI) handleJob(w http.ResponseWriter, r *http.Request, to route) {
	target, err := a.targets.resolve(r.Header.Values(appHeader))
	if err != nil {
		writeError(w, target, err)
		return
	}
	name, err := url.QueryUnescape(to.name)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	published := to.singular || r.Header.Get(appHeader) != ""
	switch r.Method {
	case http.MethodPost:
		a.postJob(w, r, target, strings.TrimSpace(name), published)
	case http.MethodGet:
		a.getJob(w, r, target, name, dialectOf(published))
	case http.MethodDelete:
		if err := a.jobs.remove(r.Context(), target, name, published); err != nil {
			writeError(w, target, err)
			return
		}
		w.WriteHeader(dialectOf(published).done)
	}
}

func (a *httpAPI) postJob(
	w http.ResponseWriter, r *http.Request, target job.Target, name string, published bool,
) {
	body, held, err := a.bodies.read(r, target)
	if err != nil {
		writeError(w, target, err)
		return
	}
	defer held.release()
	req, b, e := held.parseJob(target, body)
	if e != nil {
		writeAPIError(w, e)
		return
	}
	if req.GetJob().GetName() != "" {
		writeAPIError(w, wire.NewAPIError(wire.ReasonNameInBody, target, "Set the job name in the url only").About(
			"job.name", fmt.Sprintf("leave name out of the body: the path names the job %.100q", name)))
		return
	}
	published = published || b.Form == wire.WrappedBody
	req.Job.Name = name
	found := append(b.Warnings(body), noData(r.Header.Get("Content-Type"), req.GetJob())...)
	ctx := withWarnings(r.Context(), w.Header())
	if err := a.jobs.schedule(ctx, target, req, b.Ext, published, found...); err != nil {
		// Today's clients know Dapr's text for a body of today's form. Any other body needs more help.
		if e, ok := errors.AsType[*wire.APIError](err); ok && e.Reason == wire.ReasonScheduleEmpty {
			_ = e.HelpEmpty(b, body)
			if published || b.Form == wire.NeitherBody {
				e.Message += `: the body needs "schedule" or "dueTime", in an object "job" or at its top level`
			}
		}
		writeError(w, target, err)
		return
	}
	w.WriteHeader(dialectOf(published).done)
}

// renderCost is how much memory rendering a job takes, as a multiple of the size of its data.
const renderCost = 4

func (a *httpAPI) getJob(
	w http.ResponseWriter, r *http.Request, target job.Target, name string, d dialect,
) {
	j, err := a.jobs.get(r.Context(), target, name, d.published)
	if err != nil {
		writeError(w, target, err)
		return
	}
	held := reservation{limit: a.calls}
	defer held.release()
	if n := len(j.GetData().GetValue()); n > limits.SmallMessage && !held.reserve(renderCost*n) {
		writeAPIError(w, a.calls.tooMany(target))
		return
	}
	body, err := wire.RenderAPIJob(j.Job, j.ext.Stored(), d.published)
	if err != nil {
		writeAPIError(w, encodingFailed(target, err))
		return
	}
	if j.nextDue != "" {
		w.Header().Set(wire.NextDueHeader, j.nextDue)
	}
	writeJSON(w, d.got, body)
}

// encodingFailed returns the error of a job that has no JSON.
func encodingFailed(target job.Target, err error) *wire.APIError {
	return wire.NewAPIError(wire.ReasonInternal, target, "failed to encode response as JSON: "+err.Error())
}
