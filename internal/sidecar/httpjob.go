package sidecar

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"carillon/internal/job"
	"carillon/internal/limits"
	"carillon/internal/wire"
)

// A dialect is how the HTTP API says that a call succeeded, and how it shows data.
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

// serveJob answers a request about one job.
func (s *Sidecar) serveJob(w http.ResponseWriter, r *http.Request, to route) {
	target, err := s.target(r.Header.Values(appHeader))
	if err != nil {
		answer(w, target, err)
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
		s.postJob(w, r, target, strings.TrimSpace(name), published)
	case http.MethodGet:
		s.getJob(w, r, target, name, dialectOf(published))
	case http.MethodDelete:
		if err := s.remove(r.Context(), target, name, published); err != nil {
			answer(w, target, err)
			return
		}
		w.WriteHeader(dialectOf(published).done)
	}
}

func (s *Sidecar) postJob(w http.ResponseWriter, r *http.Request, target job.Target, name string, published bool) {
	body, held, err := s.readBody(r, target)
	if err != nil {
		answer(w, target, err)
		return
	}
	defer held.end()
	req, b, e := held.parse(target, body)
	if e != nil {
		writeError(w, e)
		return
	}
	if req.GetJob().GetName() != "" {
		writeError(w, wire.NewAPIError(wire.ReasonNameInBody, target, "Set the job name in the url only").About(
			"job.name", fmt.Sprintf("leave name out of the body: the path names the job %.100q", name)))
		return
	}
	published = published || b.Form == wire.WrappedBody
	req.Job.Name = name
	found := append(b.Warnings(body), noData(r.Header.Get("Content-Type"), req.GetJob())...)
	if err := s.schedule(withWarnings(r.Context(), w.Header()), target, req, published, found...); err != nil {
		// Today's clients know Dapr's text for a body of today's form. In any other case it says too little.
		if e, ok := errors.AsType[*wire.APIError](err); ok && e.Reason == wire.ReasonScheduleEmpty {
			_ = e.HelpEmpty(b, body)
			if published || b.Form == wire.NeitherBody {
				e.Message += `: the body needs "schedule" or "dueTime", in an object "job" or at its top level`
			}
		}
		answer(w, target, err)
		return
	}
	w.WriteHeader(dialectOf(published).done)
}

// renderCost is how many times the size of a job's data is in memory while it is shown.
const renderCost = 4

func (s *Sidecar) getJob(w http.ResponseWriter, r *http.Request, target job.Target, name string, d dialect) {
	j, err := s.get(r.Context(), target, name, d.published)
	if err != nil {
		answer(w, target, err)
		return
	}
	held := reservation{of: &s.calls}
	defer held.end()
	if n := len(j.GetData().GetValue()); n > limits.SmallMessage && !held.take(renderCost*n) {
		writeError(w, s.calls.tooMany(target))
		return
	}
	body, err := wire.RenderAPIJob(j, d.published)
	if err != nil {
		text := "failed to encode response as JSON: " + err.Error()
		writeError(w, wire.NewAPIError(wire.ReasonInternal, target, text))
		return
	}
	writeJSON(w, d.got, body)
}

// answer writes an error of the API.
func answer(w http.ResponseWriter, target job.Target, err error) {
	e, ok := errors.AsType[*wire.APIError](err)
	if !ok {
		e = wire.NewAPIError(wire.ReasonInternal, target, err.Error())
	}
	writeError(w, e)
}

// bodyTooLarge is the error of a request with more than MaxBody bytes.
func (s *Sidecar) bodyTooLarge(target job.Target) *wire.APIError {
	return wire.NewAPIError(wire.ReasonBodyRead, target, "failed to read request body: stream too large").WithHelp(
		fmt.Sprintf("a request has at most %d bytes: send less, or raise --max-body-size", s.cfg.MaxBody))
}

// readBody reads a body of at most MaxBody bytes, and counts it among those in work until held ends. What a client
// announces costs no memory before it comes, but has its room kept. Every error is a *wire.APIError.
func (s *Sidecar) readBody(r *http.Request, target job.Target) (body []byte, held *reservation, err error) {
	limit := s.cfg.MaxBody
	bad := func(text string) error { // in Dapr's words
		return wire.NewAPIError(wire.ReasonBodyRead, target, "failed to read request body: "+text)
	}
	tooLarge := func() error { return s.bodyTooLarge(target) }
	room := r.ContentLength
	switch {
	case room > limit:
		return nil, nil, tooLarge()
	case room < 0: // it is not known
		room = limit
	}
	if !s.calls.reserve(room) {
		return nil, nil, s.calls.tooMany(target)
	}
	var b bytes.Buffer
	b.Grow(int(min(max(r.ContentLength, 0), 64<<10)) + bytes.MinRead)
	n, err := b.ReadFrom(io.LimitReader(r.Body, limit+1))
	switch {
	case n > limit:
		err = tooLarge()
	case err != nil:
		err = bad(err.Error())
	}
	if err != nil {
		s.calls.release(room)
		return nil, nil, err
	}
	s.calls.release(room - n)
	return b.Bytes(), &reservation{&s.calls, n}, nil
}
