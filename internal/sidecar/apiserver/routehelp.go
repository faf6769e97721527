package apiserver

import (
	"fmt"
	"net/http"
	"path"
	"strings"

	"carillon/internal/job"
	"carillon/internal/wire"
)

// noRoute returns the error of a request that has no route in this API.
func noRoute(r *http.Request) *wire.APIError {
	return wire.NewAPIError(wire.ReasonNotRoute, job.Target{},
		"failed getting app id either from the URL path or the header dapr-app-id").WithHelp(helpRoute(r.Method, r.URL.Path))
}

// helpRoute suggests the route that a request without a route probably meant.
func helpRoute(method, requested string) string {
	const aboutJobs = "a job is created with POST, shown with GET and deleted with DELETE /v1.0/jobs/NAME"
	what := fmt.Sprintf("%.20s %.100s is not served here", method, requested)
	parts := strings.Split(strings.Trim(path.Clean("/"+requested), "/"), "/")
	about := ""
	if len(parts) > 1 && (parts[0] == "v1.0" || parts[0] == "v1.0-alpha1") {
		about = parts[1]
	}
	switch {
	case (about == "jobs" || about == "job") && len(parts) == 2:
		return what + ": name the job in the path; " + aboutJobs + ", and GET /v1.0/jobs lists the jobs of an app"
	case (about == "jobs" || about == "job") && len(parts) == 3:
		return what + ": " + aboutJobs
	case about == "jobs" || about == "job":
		return what + ": the name of a job has no /; " + aboutJobs
	case about == "healthz" || about == "metadata":
		return what + ": GET /v1.0/healthz, /v1.0/healthz/outbound and /v1.0/metadata are, and PUT /v1.0/metadata/KEY"
	case about == "shutdown":
		return what + ": POST /v1.0/shutdown is"
	case requested == "/v1/jobs/batch":
		return what + ": POST /v1/jobs/batch is"
	}
	return what + ": this is Dapr's API of jobs alone; " + aboutJobs
}
