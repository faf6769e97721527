package app

import (
	"errors"
	"io"
	"net/http"
	"strings"
)

// check returns why a part of a node cannot work, or nil. It does not block, and is safe for
// concurrent use.
type check func() error

// health answers GET /healthz: 200 if no check fails, else 503 with the errors of all checks.
func health(checks ...check) http.Handler { return healthWith(nil, checks...) }

// healthWith is health with notes: texts for an operator about a node that works. Notes that are not
// empty are the body of a 200, and follow the errors in a 503.
func healthWith(notes []func() string, checks ...check) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		var texts []string
		for _, n := range notes {
			if text := n(); text != "" {
				texts = append(texts, text)
			}
		}
		switch err := runChecks(checks); {
		case err != nil:
			http.Error(w, strings.Join(append([]string{err.Error()}, texts...), "\n"), http.StatusServiceUnavailable)
		case len(texts) > 0:
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
			_, _ = io.WriteString(w, strings.Join(texts, "\n")+"\n") // the client may be gone
		}
	})
	return mux
}

// runChecks runs all checks and joins their errors.
func runChecks(checks []check) error {
	var err error
	for _, c := range checks {
		err = errors.Join(err, c())
	}
	return err
}
