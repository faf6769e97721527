package sidecar

import (
	"fmt"
	"mime"
	"strings"
	"time"

	runtimev1 "github.com/dapr/dapr/pkg/proto/runtime/v1"

	"carillon/internal/job"
	"carillon/internal/wire"
)

// doubt returns what the author of r is to be warned of if it is accepted; found is what else there is. The error says
// that it is to be refused: as published, and by a strict sidecar, if words in it mean nothing and Dapr takes them for
// something all the same; by a strict one, for any doubt.
func (s *Sidecar) doubt(target job.Target, r *runtimev1.ScheduleJobRequest, published bool, found []string) ([]string, *wire.APIError) {
	doubts := wire.APIWords(r.GetJob()).Warnings(time.Now())
	if e := wire.Meaningless(target, doubts); e != nil && published {
		return nil, e
	}
	all := append(found, wire.MessageWarnings(r)...)
	if s.cfg.Strict && len(all)+len(doubts) > 0 {
		return nil, wire.Strict(target, all, doubts)
	}
	for _, d := range doubts {
		all = append(all, d.String())
	}
	return all, nil
}

// unserved says that no sidecar serves the app, or that this one cannot, as far as that is known here. An app that is only
// not up, or unhealthy, is served: its triggers wait.
func (s *Sidecar) unserved(target job.Target) (text string) {
	for _, a := range s.cfg.Apps {
		switch {
		case a.ID != target.Name:
		case a.Address == "":
			return fmt.Sprintf("the sidecar of the app %+.64q has no port of the app, so that triggers that come to it fail: give it --app-port", target.Name)
		default:
			return ""
		}
	}
	if s.cfg.Connected == nil || s.cfg.Connected(target) {
		return ""
	}
	return fmt.Sprintf("no sidecar serves the app %+.64q: the job waits until one is connected; check the app id", target.Name)
}

// noData says that a request announces JSON, and has no data for the app: the request's own body is the job's description.
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
