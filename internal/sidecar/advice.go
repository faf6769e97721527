package sidecar

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"path"
	"strings"

	"carillon/internal/job"
	"carillon/internal/lograte"
	"carillon/internal/wire"
)

// This file is what a refused caller is told beside Dapr's own words, about anything but a job.

// The two ways in which a token is wrong.
const (
	noToken    = "no token came: send the value of DAPR_API_TOKEN, with which this sidecar was started, in the header " + tokenHeader
	wrongToken = "the token in the header " + tokenHeader + " is not the value of DAPR_API_TOKEN with which this sidecar was started"
)

// refuseToken answers a request that has not the token. The body is Dapr's; a header says what to do.
func (s *Sidecar) refuseToken(w http.ResponseWriter, r *http.Request) {
	help := wrongToken
	if len(r.Header.Values(tokenHeader)) == 0 {
		help = noToken
	}
	w.Header().Set(warningHeader, formatWarning(help))
	s.refusals.Warn(r.Context(), slog.String("reason", help), slog.String("client", r.RemoteAddr), slog.String("method", r.Method),
		slog.String("path", r.URL.Path))
}

func newRefusals(log *slog.Logger) *lograte.Line {
	return lograte.NewFew(maxLines, func(ctx context.Context, level slog.Level, attrs ...slog.Attr) {
		log.LogAttrs(ctx, level, "a request without the API token was refused", attrs...)
	})
}

// notRoute is the error of a request that is none of this API.
func notRoute(r *http.Request) *wire.APIError {
	return wire.NewAPIError(wire.ReasonNotRoute, job.Target{},
		"failed getting app id either from the URL path or the header dapr-app-id").WithHelp(helpRoute(r.Method, r.URL.Path))
}

// helpRoute says what a request that has no route is likely to be meant for.
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
		return what + ": name the job in the path; " + aboutJobs + ", and gRPC's ListJobs lists them"
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

// helpReady says what those of [readiness.missing] wait for.
func (s *Sidecar) helpReady(missing []string) string {
	var waits []string
	for _, name := range missing {
		switch name {
		case "security-provider": // for which all else waits
			return name + " waits for a certificate, from Sentry or from files: the log says what is wrong"
		case "grpc-api-server":
			waits = append(waits, name+" opens its ports")
		case "runtime":
			var apps []string
			for _, a := range s.cfg.Apps {
				if a.Address == "" {
					continue
				}
				apps = append(apps, fmt.Sprintf("%.100q at %s", a.ID, a.Address))
			}
			waits = append(waits, name+" waits until the app listens, "+strings.Join(apps, ", ")+": start it, or correct --app-port")
		case "scheduler-watch-hosts":
			waits = append(waits, name+" waits for a scheduler at "+strings.Join(s.cfg.Schedulers, ", ")+": start it, or correct --scheduler-host-address")
		}
	}
	return strings.Join(waits, "; ")
}
