package apiserver

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"unicode/utf8"

	"carillon/internal/bulkv1"
	"carillon/internal/job"
	"carillon/internal/wire"
)

// maxPageSize is the most jobs of a page.
const maxPageSize = 1000

// listJobs handles GET /v1.0/jobs: it returns a page of the jobs of the app.
func (a *httpAPI) listJobs(w http.ResponseWriter, r *http.Request) {
	target, err := a.targets.resolve(r.Header.Values(appHeader))
	if err != nil {
		writeError(w, target, err)
		return
	}
	request, e := parseListQuery(target, r.URL.RawQuery)
	if e != nil {
		writeAPIError(w, e)
		return
	}
	page, release, err := a.jobs.listPage(r.Context(), target, request)
	if err != nil {
		writeError(w, target, err)
		return
	}
	defer release()
	held := reservation{limit: a.calls}
	defer held.release()
	body, e := renderPage(target, page, r.Header.Get(appHeader) != "", &held)
	if e != nil {
		writeAPIError(w, e)
		return
	}
	writeJSON(w, http.StatusOK, body)
}

// parseListQuery returns the request for a page that a query asks for.
func parseListQuery(target job.Target, query string) (*bulkv1.ListJobsPageRequest, *wire.APIError) {
	wrong := func(parameter, what, help string) *wire.APIError {
		return wire.NewAPIError(wire.ReasonList, target, "failed to list jobs due to: "+what).AsInvalid().About(parameter, help)
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		return nil, wrong("", "the query is malformed: "+err.Error(), "encode each value for a URL, such as %2F for /")
	}
	r := new(bulkv1.ListJobsPageRequest)
	for _, parameter := range slices.Sorted(maps.Keys(values)) {
		value := values.Get(parameter)
		if len(values[parameter]) > 1 || !utf8.ValidString(value) {
			return nil, wrong(parameter, fmt.Sprintf("the parameter %.100q is there more than once, or is not UTF-8", parameter), "give it once, as text")
		}
		switch parameter {
		case "pageSize":
			n, err := strconv.ParseUint(value, 10, 32)
			if err != nil || n < 1 || n > maxPageSize {
				return nil, wrong(parameter, fmt.Sprintf("pageSize is %.100q", value), fmt.Sprintf("give a number from 1 to %d, or leave it out", maxPageSize))
			}
			r.PageSize = uint32(n)
		case "pageToken":
			r.PageToken = value
		case "namePrefix":
			r.NamePrefix = value
		default:
			return nil, wrong(parameter, fmt.Sprintf("there is no parameter %.100q", parameter), "the parameters are pageSize, pageToken and namePrefix")
		}
	}
	return r, nil
}

// renderPage returns the JSON of a page: each job as GET of that job returns it. A job for which GET
// returns an error is its name, the status and the error, as in a batch.
func renderPage(
	target job.Target, page *bulkv1.ListJobsPageResponse, published bool, held *reservation,
) ([]byte, *wire.APIError) {
	var body bytes.Buffer
	body.WriteString(`{"jobs":[`)
	for i, j := range page.GetJobs() {
		if !held.resize(int64(body.Cap() + renderCost*len(j.GetJob().GetData().GetValue()))) {
			return nil, held.limit.tooMany(target).WithHelp("try again when some have ended, or with a smaller pageSize")
		}
		rendered, err := wire.RenderAPIJob(wire.APIJob(j.GetName(), j.GetJob()), page.GetExt()[uint32(i)].Stored(), published)
		if err != nil { // of this job alone: the others are listed
			rendered = wire.APIResult(j.GetName(), encodingFailed(target, err))
		}
		if i > 0 {
			body.WriteByte(',')
		}
		body.Write(rendered)
	}
	token, err := json.Marshal(page.GetNextPageToken())
	if err != nil {
		panic(err) // a string can be encoded
	}
	body.WriteString(`],"nextPageToken":`)
	body.Write(token)
	body.WriteByte('}')
	return body.Bytes(), nil
}
