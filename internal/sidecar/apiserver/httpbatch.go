package apiserver

import (
	"mime"
	"net/http"
	"time"
)

// postBatch handles POST /v1/jobs/batch. An array that is malformed is refused as a whole. Lines
// are scheduled while they arrive. The response has the form of the request, with a result in the
// place of each job. It is written after the whole request was read: most clients send everything
// before they read.
func (a *httpAPI) postBatch(w http.ResponseWriter, r *http.Request) {
	target, err := a.targets.resolve(r.Header.Values(appHeader))
	if err != nil {
		writeError(w, target, err)
		return
	}
	b := &batchRequest{
		jobs: a.jobs, bodies: a.bodies, target: target, published: r.Header.Get(appHeader) != "",
		held: reservation{limit: a.calls}, unserved: a.jobs.checker.unserved(target),
	}
	defer b.held.release()
	// Like the rest of the API, an array needs no Content-Type.
	media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if media == ndjson {
		a.postLines(w, r, b)
		return
	}
	body, held, err := a.bodies.read(r, target)
	if err != nil {
		writeError(w, target, err)
		return
	}
	defer held.release()
	if !held.reserve(2 * len(body)) { // for the buffer of a decoder
		writeAPIError(w, a.calls.tooMany(target))
		return
	}
	jobs, e := b.array(body)
	if e != nil {
		writeAPIError(w, e)
		return
	}
	b.run(withWarnings(r.Context(), w.Header()), jobs)
	b.write(w, "application/json", "[", ",", "]")
}

// postLines schedules a batch that has a job on each line.
func (a *httpAPI) postLines(w http.ResponseWriter, r *http.Request, b *batchRequest) {
	if !b.held.reserve(int(a.bodies.limit)) {
		writeAPIError(w, a.calls.tooMany(b.target))
		return
	}
	client := http.NewResponseController(w)
	// Each thousand lines have as long as any other request: the client may have waited for us.
	extend := func() {
		_ = client.SetReadDeadline(time.Now().Add(readTimeout))
		_ = client.SetWriteDeadline(time.Now().Add(writeTimeout))
	}
	b.lines = true
	b.run(withWarnings(r.Context(), w.Header()), b.readLines(r.Body, extend))
	extend()
	b.write(w, ndjson, "", "\n", "\n")
}
