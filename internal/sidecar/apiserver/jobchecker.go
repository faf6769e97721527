package apiserver

import (
	"fmt"
	"mime"
	"strings"
	"time"

	runtimev1 "github.com/dapr/dapr/pkg/proto/runtime/v1"

	"carillon/internal/job"
	"carillon/internal/sidecar/appclient"
	"carillon/internal/wire"
)

// A jobChecker finds out what is doubtful about jobs.
type jobChecker struct {
	strict    bool
	apps      []appclient.Config
	connected func(job.Target) bool // whether a sidecar serves the target; nil if that is unknown
}

// check returns the warnings about a request, including those in found. The error says that the
// request is refused instead. A strict checker refuses for any warning. In the published dialect
// words that mean nothing are refused; Dapr gives them some meaning.
func (c *jobChecker) check(
	target job.Target, r *runtimev1.ScheduleJobRequest, published bool, found []string,
) ([]string, *wire.APIError) {
	doubts := wire.APIWords(r.GetJob()).Warnings(time.Now())
	if e := wire.Meaningless(target, doubts); e != nil && published {
		return nil, e
	}
	all := append(found, wire.MessageWarnings(r)...)
	if c.strict && len(all)+len(doubts) > 0 {
		return nil, wire.Strict(target, all, doubts)
	}
	for _, d := range doubts {
		all = append(all, d.String())
	}
	return all, nil
}

// unserved returns a warning if no sidecar serves the app, or this one cannot call it, as far as
// this process knows. An app that is down or unhealthy is served: its triggers wait.
func (c *jobChecker) unserved(target job.Target) (text string) {
	for _, a := range c.apps {
		switch {
		case a.ID != target.Name:
		case a.Address == "":
			return fmt.Sprintf("the sidecar of the app %+.64q has no port of the app, so that triggers that come to it fail: give it --app-port", target.Name)
		default:
			return ""
		}
	}
	if c.connected == nil || c.connected(target) {
		return ""
	}
	return fmt.Sprintf("no sidecar serves the app %+.64q: the job waits until one is connected; check the app id", target.Name)
}

// noData returns a warning if a request declares JSON and its job has no data. The author may have
// expected the whole body to be the data.
func noData(contentType string, j *runtimev1.Job) []string {
	if j.GetData() != nil || contentType == "" {
		return nil
	}
	media, _, _ := mime.ParseMediaType(contentType)
	if media != "application/json" && !strings.HasSuffix(media, "+json") {
		return nil
	}
	return []string{`the job has no data: the app gets an empty body, announced as JSON; give "data", which may be null`}
}
